"""Dovecot: logins, mechanisms, limits, quota, submission."""

from contextlib import ExitStack

from servers import people
from servers.talk import Scram, Talk, context, cram_md5, oauthbearer, plain, xoauth2

from cases.frame import case, imap_login, pop3_login, right, smtp_session, submission, wrong

REFUSED = r"NO \[AUTHENTICATIONFAILED\]"

imap_login("dovecot", "good", *right("user001"), r"Dovecot.*\nt1 OK ")
imap_login("dovecot", "wrong password", *wrong("user001"), REFUSED)
imap_login("dovecot", "unknown user", *wrong("nobody"), REFUSED)
imap_login("dovecot", "disabled", *right("disabled"), r"NO \[CONTACTADMIN\] Account disabled by")
imap_login("dovecot", "nologin", *right("nologin"), r"NO \[CONTACTADMIN\] Login disabled")
imap_login("dovecot", "locked", *right("locked"), REFUSED)
imap_login("dovecot", "expired", *right("expired"), r"NO \[EXPIRED\] Password expired")
imap_login("dovecot", "backend down", *right("tempfail"), r"NO \[UNAVAILABLE\] Temporary auth")
imap_login("dovecot", "from elsewhere only", *right("netonly"), REFUSED)
for special in ("spaced", "quoted", "hashed", "overquota", "german"):
    imap_login("dovecot", special, *right(special), r"\nt1 OK ")
imap_login("dovecot", "clear", *right("user001"), r"LOGINDISABLED.*PRIVACYREQUIRED", "imap")
imap_login("dovecot_plaintext", "clear", *right("user001"), r"\nt1 OK ", "imap")

pop3_login("dovecot", "good", *right("user002"), r"Dovecot.*\+OK Logged in")
pop3_login("dovecot", "wrong password", *wrong("user002"), r"-ERR \[AUTH\] Authentication failed")
pop3_login("dovecot", "disabled", *right("disabled"), r"-ERR \[AUTH\] Account disabled by")
pop3_login("dovecot", "locked", *right("locked"), r"-ERR \[AUTH\] Authentication failed")
pop3_login("dovecot", "expired", *right("expired"), r"-ERR \[AUTH\] Password expired")
pop3_login("dovecot", "backend down", *right("tempfail"), r"-ERR \[SYS/TEMP\] Temporary auth")
pop3_login("dovecot", "clear", *right("user002"), r"-ERR \[AUTH\] Plaintext auth", "pop3")
pop3_login("dovecot_plaintext", "clear", *right("user002"), r"\+OK Logged in", "pop3")


def imap(at):
    """An IMAP connection over TLS, after its greeting."""
    talk = Talk(at["imap_tls"], context())
    talk.greeting = talk.line()
    return talk


@case("dovecot", "IMAP STARTTLS, LOGIN", r"STARTTLS.*AUTH=PLAIN.*t2 OK.*t3 OK")
def starttls(at, _):
    """The upgrade on the clear port."""
    with Talk(at["imap"]) as talk:
        replies = [talk.line(), talk.imap("STARTTLS")]
        talk.wrap(context())
        replies.append(talk.imap("CAPABILITY"))
        return "\n".join([*replies, talk.imap("LOGIN user003@lab.test pass-003")])


@case("dovecot", "POP3 STLS, USER, PASS", r"\+OK Begin TLS.*Logged in")
def stls(at, _):
    """The upgrade on the clear port."""
    with Talk(at["pop3"]) as talk:
        replies = [talk.line(), talk.pop3("STLS")]
        talk.wrap(context())
        replies.append(talk.pop3("USER user003@lab.test"))
        return "\n".join([*replies, talk.pop3("PASS pass-003")])


@case("dovecot", "IMAP PLAIN with UTF-8 password", "t1 OK")
def utf8(at, _):
    """Initial response with bytes above 127."""
    with imap(at) as talk:
        return talk.imap(f"AUTHENTICATE PLAIN {plain(*right('utf8'))}")


def scram(name, digest, user, pattern):
    """A case: a SCRAM exchange."""

    @case("dovecot", f"IMAP {name} of {user}", pattern)
    def exchange(at, _):
        with imap(at) as talk:
            client = Scram(digest, *right(user))
            first = talk.imap(f"AUTHENTICATE {name} {client.first}")
            if not first.startswith("+ "):
                return first
            last = talk.imap_more(client.final(first[2:]))
            return first + "\n" + last + ("\n" + talk.imap_more("") if last[0] == "+" else "")


scram("SCRAM-SHA-256", "sha256", "user004", "t1 OK")
scram("SCRAM-SHA-1", "sha1", "user004", "t1 OK")
# The server advertises it for everybody, and cannot do it where it stores only a hash.
scram("SCRAM-SHA-256", "sha256", "hashed", REFUSED)


@case("dovecot", "IMAP CRAM-MD5", "t1 OK")
def cram(at, _):
    """Challenge and response."""
    with imap(at) as talk:
        challenge = talk.imap("AUTHENTICATE CRAM-MD5")
        return talk.imap_more(cram_md5(*right("user004"), challenge[2:]))


def with_token(name, response, which, pattern):
    """A case: a login with one of the lab's tokens; a refusal's challenge is answered."""

    @case("dovecot", f"IMAP {name}, {which} token", pattern)
    def login(at, lab):
        with imap(at) as talk:
            address = people.address("user001")
            reply = talk.imap(f"AUTHENTICATE {name} {response(address, lab['tokens'][which])}")
            return reply + ("\n" + talk.imap_more("") if reply.startswith("+") else "")


with_token("XOAUTH2", xoauth2, "valid", "t1 OK")
with_token("XOAUTH2", xoauth2, "expired", r"\+ ey.*" + REFUSED)
with_token("OAUTHBEARER", oauthbearer, "valid", "t1 OK")
with_token("OAUTHBEARER", oauthbearer, "expired", r"\+ ey.*" + REFUSED)


@case("dovecot_limited", "IMAP fifth session of limited", r"NO \[LIMIT\].*connections=4")
def fifth(at, _):
    """More sessions of a user from one address than allowed."""
    with ExitStack() as open_talks:
        for _ in range(4):
            talk = open_talks.enter_context(imap(at))
            assert "t1 OK" in talk.imap("LOGIN limited@lab.test pass-limited")
        return open_talks.enter_context(imap(at)).imap("LOGIN limited@lab.test pass-limited")


@case("dovecot", "IMAP APPEND to overquota", r"NO \[OVERQUOTA\]")
def append(at, _):
    """A message for a mailbox that is full."""
    with imap(at) as talk:
        talk.imap("LOGIN overquota@lab.test pass-overquota")
        return talk.imap("APPEND INBOX {9000}")


@case("dovecot", "IMAP special folders", r"\\Sent\) \".\" \"?Sent.*t2 OK")
def special_folders(at, _):
    """An ordinary user's folders."""
    with imap(at) as talk:
        talk.imap("LOGIN user005@lab.test pass-005")
        return talk.imap('LIST "" *')


@case(
    "dovecot", "IMAP localised folders", r"LIST \(.HasNoChildren\) \".\" \"?&kAFP4W4IMH8w4TD8MOs-"
)
def localised_folders(at, _):
    """Folders in Japanese, none of them with a special use."""
    with imap(at) as talk:
        talk.imap("LOGIN japanese@lab.test pass-japanese")
        return talk.imap('LIST "" *')


smtp_session(
    "dovecot", "AUTH before STARTTLS", "submission", ["AUTH PLAIN AGEAYg=="], "530 5.7.0 TLS"
)
for user, pattern in (
    (right("user006"), "235 2.7.0"),
    (wrong("user006"), "535 5.7.8 Authentication failed"),
    (right("disabled"), "525 5.7.13 Account disabled by"),
    (right("locked"), "535 5.7.8 Authentication failed"),
    (right("expired"), "535 5.7.8 Password expired"),
    (right("tempfail"), "454 4.7.0 Temporary"),
):
    smtp_session(
        "dovecot", f"AUTH {user[0].split('@')[0]} {user[1]}"[:30], "submission", [], pattern, user
    )


@case("dovecot", "SMTP implicit TLS, relayed by Postfix", r"235.*250.*250 2.1.5.*250 2.0.0")
def relayed(at, _):
    """Submission through Dovecot."""
    with submission(at["submission_tls"], "submission_tls", right("user006")) as talk:
        commands = ["MAIL FROM:<user006@lab.test>", "RCPT TO:<user007@lab.test>", "RSET"]
        return talk.replies + "\n".join(talk.smtp(each) for each in commands)
