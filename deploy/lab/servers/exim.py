"""Exim: an MX port, submission with STARTTLS, submission in TLS."""

import os
import shutil

from . import chroots, people

SYSTEM = "courier-exim-1"

ADDRESS = "127.0.0.60"

# Kind of endpoint to the name of its port in the configuration.
KINDS = {"mx": "mx", "submission": "submission", "submission_tls": "submissions"}

# Users with an address, by what must be possible with them.
NAMES = ("full", "greylisted", "blocked", "tempfail")


def start(lab, tls):
    """Writes the configuration and the users, and starts Exim."""
    system = chroots.provide(SYSTEM)
    folder = lab.folder("exim")
    ports = {name: lab.port(ADDRESS) for name in KINDS.values()}
    lab.write("exim.conf", folder / "exim.conf", address=ADDRESS, **ports)
    shutil.copy(tls / "good.pem", folder / "server.pem")
    shutil.copy(tls / "good.key", folder / "server.key")
    users = [*people.ordinary(), *((name, "pass-" + name) for name in NAMES)]
    lines = (f"{people.address(name)}: {password}\n" for name, password in users)
    (folder / "users").write_text("".join(lines))
    owner = chroots.user(system, "Debian-exim")
    for each in (lab.folder("exim/log"), lab.folder("exim/spool"), folder / "server.key"):
        os.chown(each, *owner)
    log = folder / "output"
    argv = ["/usr/sbin/exim4", "-C", "/srv/lab/exim.conf", "-bdf", "-q30m"]
    process = lab.start("exim", chroots.enter(system, [(folder, "/srv/lab")], argv), log)
    lab.serve("exim", **{kind: f"{ADDRESS}:{ports[name]}" for kind, name in KINDS.items()})
    return [("exim", process, [f"{ADDRESS}:{port}" for port in ports.values()], log)]
