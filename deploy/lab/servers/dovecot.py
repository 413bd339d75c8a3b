"""Dovecot: IMAP, POP3, LMTP and submission on one address for each certificate case."""

import base64
import hashlib
import os
import re
import secrets

from . import people
from .certificates import HOST

# Case to address. The server's name in lab.json is `dovecot`, or `dovecot_<case>`.
CASES = {
    "": "127.0.0.10",
    "expired": "127.0.0.11",
    "wrong_host": "127.0.0.12",
    "self_signed": "127.0.0.13",
    "no_intermediate": "127.0.0.14",
    "plaintext": "127.0.0.15",
    "name_in_subject": "127.0.0.16",
    "not_yet_valid": "127.0.0.17",
    "limited": "127.0.0.18",
}

# The mail owner: a number without an account, so that nothing has to be added to the machine.
MAIL_USER = 5000

KINDS = ("imap", "imap_tls", "pop3", "pop3_tls", "submission", "submission_tls")

# Folders beside INBOX. `japanese` and `german` have localised names, and none with a special use.
ENGLISH = ("Sent", "Drafts", "Junk", "Trash")
FOLDERS = {
    "japanese": ("送信済みメール", "下書き", "迷惑メール", "ゴミ箱"),
    "german": ("Gesendete Objekte", "Entwürfe", "Junk-E-Mail", "Papierkorb"),
}

# Fills the mailbox of `overquota` beyond its 20 KiB.
FILLING = b"From: <a@lab.test>\r\nSubject: filling\r\n\r\n" + b"0123456789abcdef\r\n" * 1700


def prepare(lab, tls):
    """Chooses the ports, which Postfix needs to know too."""
    ports = {kind: lab.port(*CASES.values()) for kind in KINDS}
    ports["lmtp"] = lab.port(CASES[""])
    return {"ports": ports, "run": lab.folder("dovecot/run"), "tls": tls}


def start(lab, plan, relay):
    """Writes the configuration and the mailboxes, and starts Dovecot; `relay` takes its mail."""
    folder, ports = lab.root / "dovecot", plan["ports"]
    key = secrets.token_bytes(32)
    keys = lab.folder("dovecot/keys/default/HS256")
    (keys / "default").write_bytes(base64.b64encode(key))
    write_users(folder / "users")
    mail = make_mailboxes(lab)
    lab.write("dovecot-auth.lua", folder / "auth.lua")
    oauth, log = folder / "oauth2.conf.ext", folder / "log"
    lab.write("dovecot-oauth2.conf.ext", oauth, keys=folder / "keys")
    relay_host, relay_port = relay.rsplit(":", 1)
    lab.write(
        "dovecot.conf",
        folder / "dovecot.conf",
        run=plan["run"], state=lab.folder("dovecot/state"), log=log, host=HOST,
        tls=plan["tls"], cases=certificate_cases(plan["tls"]), plaintext=CASES["plaintext"], limited=CASES["limited"],
        users=folder / "users", lua=folder / "auth.lua", oauth=oauth, mail=mail,
        addresses=" ".join(CASES.values()), first=CASES[""],
        relayhost=relay_host, relayport=relay_port,
        imap=ports["imap"], imaps=ports["imap_tls"], pop=ports["pop3"], pops=ports["pop3_tls"],
        submission=ports["submission"], submissions=ports["submission_tls"], lmtp=ports["lmtp"],
    )  # fmt: skip
    for case, address in CASES.items():
        name = f"dovecot_{case}" if case else "dovecot"
        lab.serve(name, **{kind: f"{address}:{ports[kind]}" for kind in KINDS})
    lab.serve("dovecot", lmtp=f"{CASES['']}:{ports['lmtp']}")
    lab.facts["tokens"] = {
        "valid": people.token(key, "user001", 24 * 3600),
        "expired": people.token(key, "user001", -3600),
    }
    argv = ["dovecot", "-F", "-c", folder / "dovecot.conf"]
    process = lab.start("dovecot", argv, log)
    return process, [f"{CASES['']}:{port}" for port in ports.values()], log


def certificate_cases(tls):
    """The blocks that give an address its certificate."""
    block = "local {} {{\n  ssl_cert = <{}.pem\n  ssl_key = <{}.key\n}}"
    return "\n".join(
        block.format(address, tls / case, tls / case)
        for case, address in CASES.items()
        if (tls / f"{case}.pem").exists()
    )


def write_users(path):
    """The password file: ordinary users, then those with extra fields."""
    rows = [(name, f"{{PLAIN}}{password}", "") for name, password in people.ordinary()]
    for name, (password, fields) in people.SPECIAL.items():
        scheme = "{PLAIN}" if name != "hashed" else "{SHA256}"
        rows.append((name, scheme + stored(scheme, password), fields))
    lines = (f"{people.address(name)}:{password}::::::{more}\n" for name, password, more in rows)
    path.write_text("".join(lines))


def stored(scheme, password):
    """The password as the file holds it."""
    if scheme == "{PLAIN}":
        return password
    return base64.b64encode(hashlib.sha256(password.encode()).digest()).decode()


def make_mailboxes(lab):
    """Makes every user's Maildir and folders, so that no test is the first to see a mailbox."""
    mail = lab.folder("mail")
    for name in people.passwords():
        base = mail / name / "Maildir"
        folders = [modified_utf7(each) for each in FOLDERS.get(name, ENGLISH)]
        for folder in ("", *(f".{each}" for each in folders)):
            for part in ("cur", "new", "tmp"):
                (base / folder / part).mkdir(parents=True)
            if folder:
                (base / folder / "maildirfolder").touch()
        (base / "subscriptions").write_text("".join(f"{each}\n" for each in folders))
    (mail / "overquota/Maildir/cur" / f"1600000000.1.lab,S={len(FILLING)}:2,S").write_bytes(FILLING)
    for path, folders, files in os.walk(mail):
        for each in ["", *folders, *files]:
            os.chown(os.path.join(path, each), MAIL_USER, MAIL_USER)
    return mail


def modified_utf7(text):
    """A mailbox name as IMAP writes it (RFC 3501 section 5.1.3); `text` has no ampersand."""
    runs = re.split(r"([^\x20-\x7e]+)", text)
    for index in range(1, len(runs), 2):
        encoded = base64.b64encode(runs[index].encode("utf-16-be")).decode()
        runs[index] = "&" + encoded.rstrip("=").replace("/", ",") + "-"
    return "".join(runs)
