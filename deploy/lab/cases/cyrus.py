"""Cyrus: logins, SCRAM, and its limit of sessions."""

from contextlib import ExitStack

from servers.talk import Scram, Talk, context, plain

from cases.frame import case, imap_login, pop3_login, right, wrong

imap_login("cyrus", "good", *right("user001"), r"Cyrus IMAP.*t1 OK \[CAPABILITY")
imap_login(
    "cyrus", "wrong password", *wrong("user001"), r"t1 NO Login failed: authentication failure"
)
imap_login(
    "cyrus", "unknown user", *wrong("nobody"), r"t1 NO Login failed: (user not|authentication)"
)
imap_login("cyrus", "clear", *right("user001"), r"t1 NO Login only available under a layer", "imap")

pop3_login("cyrus", "good", *right("user002"), r"Cyrus POP3.*\+OK Mailbox locked and ready")
pop3_login("cyrus", "wrong password", *wrong("user002"), r"-ERR \[AUTH\] Invalid login")
pop3_login(
    "cyrus", "clear", *right("user002"), r"-ERR \[AUTH\] USER command only available", "pop3"
)


@case("cyrus", "IMAP STARTTLS, AUTHENTICATE PLAIN", "t1 OK.*t2 OK")
def starttls(at, _):
    """The upgrade on the clear port."""
    with Talk(at["imap"]) as talk:
        replies = [talk.line(), talk.imap("STARTTLS")]
        talk.wrap(context())
        replies.append(talk.imap(f"AUTHENTICATE PLAIN {plain(*right('user003'))}"))
        return "\n".join(replies)


@case("cyrus", "IMAP SCRAM-SHA-256", "t1 OK")
def scram(at, _):
    """The exchange of RFC 7677."""
    with Talk(at["imap_tls"], context()) as talk:
        talk.line()
        client = Scram("sha256", *right("user004"))
        first = talk.imap(f"AUTHENTICATE SCRAM-SHA-256 {client.first}")
        last = talk.imap_more(client.final(first[2:]))
        return last + ("\n" + talk.imap_more("") if last.startswith("+") else "")


@case("cyrus", "IMAP folders", r"\\HasNoChildren.*Junk.*t2 OK")
def folders(at, _):
    """What a new user is given."""
    with Talk(at["imap_tls"], context()) as talk:
        talk.line()
        talk.imap("LOGIN user005@lab.test pass-005")
        return talk.imap('LIST "" *')


@case("cyrus", "certificate of imap_tls", "^OK .*Cyrus")
def certificate(at, lab):
    """A handshake that verifies the certificate."""
    with Talk(at["imap_tls"], context(lab["ca_file"])) as talk:
        return "OK " + talk.line()


@case("cyrus_limited", "IMAP third session", "t1 NO Too many open connections")
def third(at, _):
    """More sessions of one user than allowed."""
    with ExitStack() as open_talks:
        for _ in range(3):
            talk = open_talks.enter_context(Talk(at["imap_tls"], context()))
            talk.line()
            reply = talk.imap("LOGIN user006@lab.test pass-006")
        return reply
