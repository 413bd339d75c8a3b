"""How the cases of `deploy/lab/check` are written down and run.

A case is a server, what is done, and a pattern that the reply must contain.
"""

import re
import time
from concurrent.futures import ThreadPoolExecutor

from servers import people
from servers.talk import Talk, context, plain

CASES = []


def case(server, title, pattern):
    """Registers a case; the function is given the endpoints of its server, and the lab."""

    def register(function):
        CASES.append((server, title, pattern, function))
        return function

    return register


def check(lab):
    """Runs every case of the servers that are there; returns the exit status."""
    present = [each for each in CASES if each[0] in lab["servers"]]
    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(lambda each: attempt(lab, each), present))
    failed = 0
    for (server, title, pattern, _), (reply, seconds) in zip(present, outcomes):
        good = re.search(pattern, reply, re.DOTALL)
        failed += not good
        last = reply.splitlines()[-1] if reply else "(nothing)"
        print(f"{'ok ' if good else 'BAD'} {seconds:5.2f} s  {server:24} {title:34} {last[:90]}")
        if not good:
            print(f"      expected {pattern!r} in:\n      " + reply.replace("\n", "\n      "))
    for server, reason in lab["missing"].items():
        print(f"--- {server} is not in this lab: {reason}")
    print(f"{len(present) - failed} of {len(present)} as expected")
    return 1 if failed or not present else 0


def attempt(lab, each):
    """The reply of one case and how long it took."""
    began = time.monotonic()
    try:
        reply = each[3](lab["servers"][each[0]], lab)
    except Exception as error:  # noqa: BLE001 (it belongs to this case alone)
        reply = f"{type(error).__name__}: {error}"
    return reply, time.monotonic() - began


def imap_login(server, title, user, password, pattern, kind="imap_tls"):
    """A case: LOGIN over TLS, or in clear where `kind` says so."""

    @case(server, f"IMAP LOGIN {title}", pattern)
    def login(at, _):
        with Talk(at[kind], context() if kind.endswith("tls") else None) as talk:
            greeting = talk.line()
            quoted = password.replace("\\", "\\\\").replace('"', '\\"')
            return f"{greeting}\n{talk.imap(f'LOGIN {user} {chr(34)}{quoted}{chr(34)}')}"


def pop3_login(server, title, user, password, pattern, kind="pop3_tls"):
    """A case: USER and PASS."""

    @case(server, f"POP3 {title}", pattern)
    def login(at, _):
        with Talk(at[kind], context() if kind.endswith("tls") else None) as talk:
            greeting = talk.line()
            first = talk.pop3(f"USER {user}")
            return f"{greeting}\n{first}\n{talk.pop3(f'PASS {password}')}"


def smtp_session(server, title, kind, commands, pattern, who=None):
    """A case: commands after EHLO (and STARTTLS and AUTH PLAIN of `who`, if given)."""

    @case(server, f"SMTP {title}", pattern)
    def session(at, _):
        with submission(at[kind], kind, who) as talk:
            return "\n".join(talk.smtp(each) for each in commands) if commands else talk.replies


def submission(endpoint, kind, who, tls=None):
    """An SMTP connection after EHLO, over TLS when `kind` or `who` asks for it."""
    talk = Talk(endpoint, context() if kind.endswith("_tls") else None)
    talk.replies = talk.line()
    talk.replies += "\n" + talk.smtp("EHLO client.lab.test")
    if who and "STARTTLS" in talk.replies:
        talk.smtp("STARTTLS")
        talk.wrap(tls or context())
        talk.replies = talk.smtp("EHLO client.lab.test")
    if who:
        talk.replies += "\n" + talk.smtp(f"AUTH PLAIN {plain(*who)}")
    return talk


def right(name):
    """Address and password of a user."""
    return people.address(name), people.passwords()[name]


def wrong(name):
    """Address of a user and a password that is not theirs."""
    return people.address(name), "wrong"
