"""Who has a mailbox in the lab, and what is special about it.

The servers' configurations and `lab.json` are both made from these tables.
"""

import base64
import hashlib
import hmac
import json
import time

DOMAIN = "lab.test"

# How many ordinary users there are. Tests run in parallel, so that each takes one of its own.
ORDINARY = 60

# Name to (password, extra fields of Dovecot's passwd-file). What each does: README.md.
SPECIAL = {
    "utf8": ("pässwörd-密码-ключ", ""),
    "spaced": ("abcd efgh ijkl mnop", ""),
    "quoted": ('a"b\\c{3}d%', ""),
    "hashed": ("pass-hashed", ""),
    "nologin": ("pass-nologin", "nologin"),
    "netonly": ("pass-netonly", "allow_nets=192.0.2.0/24"),
    "limited": ("pass-limited", ""),
    "overquota": ("pass-overquota", "userdb_quota_rule=*:storage=20K"),
    "japanese": ("pass-japanese", ""),
    "german": ("pass-german", ""),
    "junked": ("pass-junked", ""),
    "rewritten": ("pass-rewritten", ""),
    "renamed": ("pass-renamed", ""),
    "lost": ("pass-lost", ""),
}

# Users whose logins fail in ways that only Dovecot's Lua database can produce.
SCRIPTED = {
    "disabled": "pass-disabled",
    "locked": "pass-locked",
    "expired": "pass-expired",
    "tempfail": "pass-tempfail",
}

# Recipients that Postfix and Exim refuse or lose. Value: what they do.
RECIPIENTS = {
    "unknown": "550 5.1.1 no such user",
    "full": "452 4.2.2 mailbox full",
    "greylisted": "450 or 451 4.7.1 come back later",
    "blocked": "550 5.7.1 blocked by policy",
    "lost": "accepted, then never delivered",
    "junked": "delivered into Junk",
}


def ordinary():
    """Name and password of every ordinary user."""
    return [(f"user{n:03}", f"pass-{n:03}") for n in range(1, ORDINARY + 1)]


def passwords():
    """Every user's password, by name."""
    known = dict(ordinary())
    known.update({name: password for name, (password, _) in SPECIAL.items()})
    known.update(SCRIPTED)
    return known


def address(name):
    """The address, which is also the login name."""
    return f"{name}@{DOMAIN}"


def description():
    """The part of lab.json about people."""
    return {
        "domain": DOMAIN,
        "users": {
            name: {"address": address(name), "password": password}
            for name, password in passwords().items()
        },
        "recipients": {name: address(name) for name in RECIPIENTS}
        | {"elsewhere": "someone@elsewhere.example"},
    }


def token(key, name, lifetime):
    """An OAuth access token (a JSON Web Token) of `name`, for `lifetime` seconds from now."""
    now = int(time.time())
    claims = {
        "sub": address(name),
        "email": address(name),
        "iat": now + min(lifetime, 0) - 60,
        "exp": now + lifetime,
    }
    parts = [part(json.dumps(each).encode()) for each in ({"alg": "HS256", "typ": "JWT"}, claims)]
    signature = hmac.digest(key, ".".join(parts).encode(), hashlib.sha256)
    return ".".join([*parts, part(signature)])


def part(data):
    """One part of a token: base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
