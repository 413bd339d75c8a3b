"""Courier: IMAP and POP3, with and without a small limit of connections."""

import base64
import hashlib
import os

from . import chroots, people
from .dovecot import MAIL_USER
from .lab import run

SYSTEM = "courier-exim-1"

# Server's name in lab.json to its address and how many connections an address may have.
SERVERS = {"courier": ("127.0.0.40", 200), "courier_limited": ("127.0.0.41", 4)}

LOGIN = "/usr/lib/courier/courier"
IMAP = [f"{LOGIN}/imaplogin", "/usr/bin/imapd", "Maildir"]
POP3 = [f"{LOGIN}/courierpop3login", f"{LOGIN}/courierpop3d", "Maildir"]
TLS = ["/usr/bin/couriertls", "-server", "-tcpd", "-user=courier"]

# Kind of endpoint to the command behind it, and the environment that makes it start in TLS.
KINDS = {
    "imap": (IMAP, ""),
    "imap_tls": ([*TLS, *IMAP], "IMAP_TLS=1 IMAP_STARTTLS=NO IMAP_TLS_REQUIRED=0"),
    "pop3": (POP3, ""),
    "pop3_tls": ([*TLS, *POP3], "POP3_TLS=1 POP3_STARTTLS=NO POP3_TLS_REQUIRED=0"),
}

# Becomes couriertcpd with the environment that Courier's own scripts give it.
DAEMON = 'set -a; . /srv/lab/env; eval "$1"; shift; exec /usr/sbin/couriertcpd "$@"'

# Users beside the ordinary ones: options of Courier's user database.
OPTIONS = {"disabled": "disableimap=1,disablepop3=1"}

# This user's home folder does not exist.
HOMELESS = "lost"


def start(lab, tls):
    """Writes the user database and starts the authentication daemon and the listeners."""
    system = chroots.provide(SYSTEM)
    folder, etc = lab.folder("courier"), lab.folder("courier/etc")
    server = folder / "server.pem"
    server.write_text((tls / "good.key").read_text() + (tls / "good.pem").read_text())
    os.chown(server, *chroots.user(system, "courier"))
    server.chmod(0o600)
    lab.write("courier.env", folder / "env")
    lab.write("courier-authdaemonrc", etc / "authdaemonrc")
    mounts = [
        (folder, "/srv/lab"),
        (etc, "/etc/courier"),
        (lab.folder("courier/run"), "/run/courier"),
    ]
    lab.folder("courier/run/authdaemon")
    os.chown(folder / "run/authdaemon", *chroots.user(system, "courier"))
    write_users(folder, etc)
    run(chroots.enter(system, mounts, ["makeuserdb"]))
    log = folder / "log"
    daemon = ["/usr/lib/courier/courier-authlib/authdaemond"]
    lab.start("courier authdaemond", chroots.enter(system, mounts, daemon), log)
    started = []
    for name, (address, most) in SERVERS.items():
        for kind, (command, environment) in KINDS.items():
            port = lab.port(address)
            limits = [f"-address={address}", "-maxprocs=400", f"-maxperip={most}"]
            argv = [*limits, "-nodnslookup", "-noidentlookup", str(port), *command]
            inside = ["sh", "-c", DAEMON, "courier", environment, *argv]
            process = lab.start(f"{name} {kind}", chroots.enter(system, mounts, inside), log)
            lab.serve(name, **{kind: f"{address}:{port}"})
            started.append((f"{name} {kind}", process, [f"{address}:{port}"], log))
    return started


def write_users(folder, etc):
    """The user database, and a Maildir for each user."""
    rows = [(*each, "") for each in people.ordinary()]
    passwords = people.passwords()
    rows += [(name, passwords[name], options) for name, options in OPTIONS.items()]
    rows.append((HOMELESS, passwords[HOMELESS], ""))
    lines = []
    for name, password, options in rows:
        digest = base64.b64encode(hashlib.sha256(password.encode()).digest()).decode()
        home = f"/srv/lab/mail/{name}"
        fields = [
            f"uid={MAIL_USER}",
            f"gid={MAIL_USER}",
            f"home={home}",
            f"systempw={{SHA256}}{digest}",
        ]
        fields += [f"options={options}"] if options else []
        lines.append(f"{people.address(name)}\t{'|'.join(fields)}\n")
        if name != HOMELESS:
            make_maildir(folder / "mail" / name)
    (etc / "userdb").write_text("".join(lines))
    (etc / "userdb").chmod(0o600)


def make_maildir(home):
    """An empty Maildir with its owner."""
    for each in ("", "Maildir", "Maildir/cur", "Maildir/new", "Maildir/tmp"):
        (home / each).mkdir(parents=True)
        os.chown(home / each, MAIL_USER, MAIL_USER)
