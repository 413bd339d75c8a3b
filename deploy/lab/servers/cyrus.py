"""Cyrus: IMAP and POP3."""

import os
import shutil

from . import chroots, people
from .lab import run

SYSTEM = "cyrus-1"

ADDRESS = "127.0.0.50"

# Kind of endpoint to its name in the configuration.
KINDS = {"imap": "imap", "imap_tls": "imaps", "pop3": "pop", "pop3_tls": "pops"}

# How many of the ordinary users exist here: adding one takes a while.
USERS = 20

# Adds the users that it reads, one per line, with a tab before the password.
ADD_USERS = """
while IFS="$(printf '\\t')" read -r name password; do
    printf %s "$password" | saslpasswd2 -p -c -f /srv/lab/sasldb2 -u lab.test "$name"
done < /srv/lab/users
"""


def start(lab, tls):
    """Writes the configuration and the users, and starts Cyrus."""
    system = chroots.provide(SYSTEM)
    folder = lab.folder("cyrus")
    ports = {name: lab.port(ADDRESS) for name in [*KINDS.values(), "limited"]}
    lab.write("cyrus.conf", folder / "cyrus.conf", address=ADDRESS, **ports)
    lab.write("cyrus-imapd.conf", folder / "imapd.conf")
    shutil.copy(tls / "good.pem", folder / "server.pem")
    shutil.copy(tls / "good.key", folder / "server.key")
    users = people.ordinary()[:USERS]
    (folder / "users").write_text("".join(f"{name}\t{password}\n" for name, password in users))
    # The services read this path, whatever the master is told.
    mounts = [(folder, "/srv/lab"), (folder / "imapd.conf", "/etc/imapd.conf")]
    for each in ("lib/db", "lib/socket", "lib/proc", "lib/log", "lib/msg", "lib/lock", "spool"):
        lab.folder(f"cyrus/{each}")
    run(chroots.enter(system, mounts, ["sh", "-ec", ADD_USERS]))
    owner = chroots.user(system, "cyrus")
    for path, _, files in os.walk(folder):
        for each in ["", *files]:
            os.chown(os.path.join(path, each), *owner)
    log = folder / "log"
    argv = ["/usr/sbin/cyrmaster", "-M", "/srv/lab/cyrus.conf", "-p", "/srv/lab/master.pid"]
    process = lab.start("cyrus", chroots.enter(system, mounts, argv), log)
    lab.serve("cyrus", **{kind: f"{ADDRESS}:{ports[name]}" for kind, name in KINDS.items()})
    lab.serve("cyrus_limited", imap_tls=f"{ADDRESS}:{ports['limited']}")
    return [("cyrus", process, [f"{ADDRESS}:{port}" for port in ports.values()], log)]
