"""Postfix: logins, refusals of senders and recipients, and the way of a message into Dovecot."""

import re
import secrets
import ssl
import time

from servers.talk import Talk, context

from cases.frame import case, right, smtp_session, submission, wrong

# Longest way of a message from submission into the mailbox, in seconds.
ARRIVAL_SECONDS = 10

USER = right("user010")
MAIL = "MAIL FROM:<user010@lab.test>"

for who, pattern in (
    (USER, "235 2.7.0"),
    (wrong("user010"), r"535 5.7.8 Error: authentication failed: \(reason unavailable\)"),
    (wrong("nobody"), "535 5.7.8"),
    (right("disabled"), "235 2.7.0"),  # Postfix does not learn that it is disabled
    (right("locked"), "535 5.7.8"),
    (right("expired"), "535 5.7.8.*Password expired"),
    (right("tempfail"), "535 5.7.8"),
    (right("utf8"), "235 2.7.0"),
):
    smtp_session(
        "postfix", f"AUTH {who[0].split('@')[0]} {who[1]}"[:28], "submission", [], pattern, who
    )

for title, kind, who, commands, pattern in (
    ("AUTH before STARTTLS", "submission", None, ["AUTH PLAIN AGEAYg=="], "530 5.7.0 Must issue"),
    ("implicit TLS", "submission_tls", USER, [MAIL, "RCPT TO:<user011@lab.test>"], "250 2.1.5"),
    ("no AUTH", "submission_tls", None, [MAIL, "RCPT TO:<user011@lab.test>"], "554 5.7.1"),
    ("sender of another", "submission", USER,
     ["MAIL FROM:<user011@lab.test>", "RCPT TO:<user011@lab.test>"],
     "553 5.7.1.*not owned by user user010@lab.test"),
    ("unknown", "submission", USER, [MAIL, "RCPT TO:<unknown@lab.test>"], "550 5.1.1.*User unknown"),
    ("full", "submission", USER, [MAIL, "RCPT TO:<full@lab.test>"], "452 4.2.2 .*Mailbox full"),
    ("greylisted", "submission", USER, [MAIL, "RCPT TO:<greylisted@lab.test>"], "450 4.7.1 "),
    ("blocked", "submission", USER, [MAIL, "RCPT TO:<blocked@lab.test>"], "550 5.7.1 .*Blocked"),
    ("to elsewhere", "submission", USER, [MAIL, "RCPT TO:<someone@elsewhere.example>"], "250 2.1.5"),
    ("SIZE too big", "submission", USER, [MAIL + " SIZE=99999999"], "552 5.3.4"),
    ("SIZE too big for small", "submission_small", USER, [MAIL + " SIZE=5000"], "552 5.3.4"),
    ("unknown mechanism", "submission_tls", None, ["AUTH NTLM"], "535 5.7.8.*Invalid auth"),
    ("MX, relay denied", "mx", None,
     ["MAIL FROM:<a@elsewhere.example>", "RCPT TO:<b@elsewhere.example>"], "554 5.7.1.*Relay access"),
    ("MX, unknown", "mx", None, ["MAIL FROM:<a@elsewhere.example>", "RCPT TO:<unknown@lab.test>"],
     "550 5.1.1"),
    ("MX, greylisted", "mx", None,
     ["MAIL FROM:<a@elsewhere.example>", "RCPT TO:<greylisted@lab.test>"], "450 4.7.1"),
    ("MX, good", "mx", None, ["MAIL FROM:<a@elsewhere.example>", "RCPT TO:<user011@lab.test>"],
     "250 2.1.5"),
    ("MX, AUTH", "mx", None, ["AUTH PLAIN AGEAYg=="], "503 5.5.1.*authentication not enabled"),
):  # fmt: skip
    smtp_session("postfix", title, kind, commands, pattern, who)

smtp_session("postfix_plaintext", "AUTH in clear is offered", "submission", [], "250-AUTH ", None)


@case("postfix", "SMTP without STARTTLS", r"^(?!.*STARTTLS).*250-AUTH .*235")
def no_starttls(at, _):
    """A server that only knows clear text."""
    with submission(at["submission_no_starttls"], "submission", USER) as talk:
        return talk.replies


def too_old(old, version, spoken):
    """Cases: a service that today's defaults cannot speak with, after STARTTLS and without it."""

    @case("postfix", f"SMTP {old}, an old client", f"235 .* {re.escape(spoken)}$")
    def able(at, _):
        settings = context(old=version)
        if old == "old_ciphers":
            settings.set_ciphers(spoken)
        with submission(at[f"submission_{old}"], "submission", USER, settings) as talk:
            by = talk.socket.cipher()[0] if old == "old_ciphers" else talk.socket.version()
            return f"{talk.replies} {by}"

    @case("postfix", f"SMTP {old}, a modern client", "SSL")
    def unable(at, _):
        with submission(at[f"submission_{old}"], "submission", USER, modern()) as talk:
            return talk.replies

    @case("postfix", f"TLS {old}, a modern client", "SSL")
    def unable_at_once(at, _):
        with Talk(at[f"wrapped_{old}"], modern()) as talk:
            return talk.line()


def modern():
    """TLS settings that know only authenticated encryption, as rustls does."""
    settings = context()
    settings.set_ciphers("ECDHE+AESGCM")
    return settings


too_old("tls1_0", ssl.TLSVersion.TLSv1, "TLSv1")
too_old("tls1_1", ssl.TLSVersion.TLSv1_1, "TLSv1.1")
too_old("old_ciphers", ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA")


@case("postfix", "SMTP second connection", "421 4.7.0.*too many connections")
def second(at, _):
    """A service that allows one connection from an address."""
    with Talk(at["submission_single"]) as first, Talk(at["submission_single"]) as other:
        first.line()
        return other.line()


def arrival(sender, recipient, mailbox, folder):
    """A case: a message goes through submission and is found in the mailbox's folder."""

    @case("postfix", f"message {sender} to {recipient}", f"SEARCH [0-9].*From: <{mailbox[1]}@")
    def way(at, lab):
        token = secrets.token_hex(8)
        with submission(at["submission"], "submission", right(sender)) as talk:
            commands = (f"MAIL FROM:<{sender}@lab.test>", f"RCPT TO:<{recipient}@lab.test>", "DATA")
            for command in commands:
                talk.smtp(command)
            done = talk.smtp(f"From: <{sender}@lab.test>\r\nSubject: {token}\r\n\r\nhello\r\n.")
        with Talk(lab["servers"]["dovecot"]["imap_tls"], context()) as talk:
            talk.line()
            name, password = right(mailbox[0])
            talk.imap(f"LOGIN {name} {password}")
            deadline = time.monotonic() + ARRIVAL_SECONDS
            found = None
            while not found and time.monotonic() < deadline:
                talk.imap(f"SELECT {folder}")
                reply = talk.imap(f"SEARCH SUBJECT {token}")
                found = re.search(r"SEARCH (\d+)", reply)
            if not found:
                return f"{done}\nno such message in {folder}:\n{reply}"
            return f"{done}\n{reply}\n" + talk.imap(f"FETCH {found[1]} BODY[HEADER]")


arrival("user012", "user013", ("user013", "user012"), "INBOX")
arrival("user014", "junked", ("junked", "user014"), "Junk")
arrival("rewritten", "user015", ("user015", "renamed"), "INBOX")
