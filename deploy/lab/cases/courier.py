"""Courier: logins, its own ways of refusing, and its limit of connections."""

from contextlib import ExitStack

from servers.talk import Talk, context, plain

from cases.frame import case, imap_login, pop3_login, right, wrong

imap_login("courier", "good", *right("user001"), r"Courier-IMAP ready.*t1 OK LOGIN Ok")
imap_login("courier", "wrong password", *wrong("user001"), r"t1 NO Login failed")
imap_login("courier", "unknown user", *wrong("nobody"), r"t1 NO Login failed")
imap_login("courier", "home missing", *right("lost"), r"BYE")
imap_login("courier", "clear", *right("user001"), r"t1 NO STARTTLS required", "imap")

pop3_login("courier", "good", *right("user002"), r"\+OK Hello there.*\+OK logged in")
pop3_login("courier", "wrong password", *wrong("user002"), r"-ERR Login failed")
pop3_login("courier", "disabled", *right("disabled"), r"-ERR POP3 access disabled")
pop3_login("courier", "clear", *right("user002"), r"-ERR TLS required to log in", "pop3")


@case("courier", "IMAP STARTTLS, AUTHENTICATE PLAIN", "t1 OK.*t2 OK")
def starttls(at, _):
    """The upgrade on the clear port, with a verified certificate."""
    with Talk(at["imap"]) as talk:
        replies = [talk.line(), talk.imap("STARTTLS")]
        talk.wrap(context())
        replies.append(talk.imap(f"AUTHENTICATE PLAIN {plain(*right('user003'))}"))
        return "\n".join(replies)


@case("courier", "IMAP LOGIN disabled", r"t1 OK LOGIN Ok.*\* BYE IMAP access disabled")
def disabled(at, _):
    """A disabled account is welcomed first, and sent away after that."""
    with Talk(at["imap_tls"], context()) as talk:
        talk.line()
        return f"{talk.imap('LOGIN disabled@lab.test pass-disabled')}\n{talk.line()}"


@case("courier", "POP3 STLS", "logged in")
def stls(at, _):
    """The upgrade on the clear port."""
    with Talk(at["pop3"]) as talk:
        talk.line()
        talk.pop3("STLS")
        talk.wrap(context())
        talk.pop3("USER user003@lab.test")
        return talk.pop3("PASS pass-003")


@case("courier", "certificate of imap_tls", "^OK .*Courier")
def certificate(at, lab):
    """A handshake that verifies the certificate."""
    with Talk(at["imap_tls"], context(lab["ca_file"])) as talk:
        return "OK " + talk.line()


@case("courier", "IMAP ID is unknown", r"t1 NO Error in IMAP command")
def identification(at, _):
    """Courier has no ID command."""
    with Talk(at["imap_tls"], context()) as talk:
        talk.line()
        return talk.imap("ID NIL")


@case("courier_limited", "IMAP fifth connection", "^closed$")
def fifth(at, _):
    """More connections of one address than allowed: closed without a greeting."""
    with ExitStack() as open_talks:
        for _ in range(4):
            open_talks.enter_context(Talk(at["imap"])).line()
        return open_talks.enter_context(Talk(at["imap"])).line() or "closed"
