"""Exim: logins and refusals, mostly without enhanced codes."""

from servers.talk import Talk, context

from cases.frame import case, right, smtp_session, wrong

USER = right("user001")
MAIL = "MAIL FROM:<user001@lab.test>"
STRANGER = "MAIL FROM:<a@elsewhere.example>"

for title, kind, who, commands, pattern in (
    ("AUTH good", "submission", USER, [], "235 Authentication succeeded"),
    (
        "AUTH wrong password",
        "submission",
        wrong("user001"),
        [],
        "535 Incorrect authentication data",
    ),
    ("AUTH unknown user", "submission", wrong("nobody"), [], "535 Incorrect authentication data"),
    (
        "AUTH backend down",
        "submission",
        right("tempfail"),
        [],
        "435 Unable to authenticate at present",
    ),
    (
        "AUTH before STARTTLS",
        "submission",
        None,
        ["AUTH PLAIN AGEAYg=="],
        "503 AUTH command used when",
    ),
    ("implicit TLS", "submission_tls", USER, [MAIL, "RCPT TO:<user002@lab.test>"], "250 Accepted"),
    ("no AUTH", "submission_tls", None, [MAIL], "550 5.7.0 Authentication required"),
    (
        "unknown mechanism",
        "submission_tls",
        None,
        ["AUTH NTLM"],
        "504 NTLM authentication mechanism",
    ),
    ("unknown", "submission", USER, [MAIL, "RCPT TO:<unknown@lab.test>"], "550 no such user"),
    ("full", "submission", USER, [MAIL, "RCPT TO:<full@lab.test>"], "452 4.2.2 Mailbox full"),
    ("greylisted", "submission", USER, [MAIL, "RCPT TO:<greylisted@lab.test>"], "451 Greylisted"),
    ("blocked", "submission", USER, [MAIL, "RCPT TO:<blocked@lab.test>"], "550 Recipient blocked"),
    ("SIZE too big", "submission", USER, [MAIL + " SIZE=99999999"], "552 Message size exceeds"),
    ("to elsewhere", "submission", USER, [MAIL, "RCPT TO:<b@elsewhere.example>"], "250 Accepted"),
    ("MX, relay denied", "mx", None, [STRANGER, "RCPT TO:<b@elsewhere.example>"], "550 relay not"),
    ("MX, good", "mx", None, [STRANGER, "RCPT TO:<user002@lab.test>"], "250 Accepted"),
):
    smtp_session("exim", title, kind, commands, pattern, who)

smtp_session("exim", "message", "submission", [
    MAIL, "RCPT TO:<user002@lab.test>", "DATA", "Subject: x\r\n\r\nhello\r\n.",
], "250 OK id=", USER)  # fmt: skip


@case("exim", "certificate of submission_tls", "^OK .*Exim")
def certificate(at, lab):
    """A handshake that verifies the certificate."""
    with Talk(at["submission_tls"], context(lab["ca_file"])) as talk:
        return "OK " + talk.line()
