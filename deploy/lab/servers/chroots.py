"""File systems for servers whose packages cannot stand beside those of the machine.

Courier, Cyrus and Exim each conflict with Dovecot or Postfix as Debian packages, and RabbitMQ 4 with
RabbitMQ 3. They are installed into small Debian systems of their own, built once with debootstrap
from the machine's own mirror, and kept. A server sees its system with the lab's private folders mounted over it, in a mount
namespace that ends with the server; several labs can share one system.
"""

import fcntl
import functools
import os
import shutil
import subprocess
from pathlib import Path

from .lab import LabError, run

# System to the packages that are installed in it. A changed list needs a new name.
SYSTEMS = {
    "courier-exim-1": ("courier-imap", "courier-pop", "exim4-daemon-heavy"),
    "cyrus-1": ("cyrus-imapd", "cyrus-pop3d", "sasl2-bin", "libsasl2-modules"),
    "rabbitmq-4-1": ("rabbitmq-server",),
}

# Systems of another Debian than the machine's own.
SUITES = {"rabbitmq-4-1": "trixie"}

# Mounts $source:$target pairs over the system, then becomes the server.
ENTER = """
set -e
system=$1; shift
while [ "$1" != -- ]; do mount --bind "${1%%:*}" "$system${1#*:}"; shift; done
shift
exec chroot "$system" "$@"
"""


def cache():
    """Where the systems are kept."""
    default = Path(__file__).resolve().parents[3] / "target" / "lab"
    return Path(os.environ.get("MAILFLEET_LAB_CACHE") or default).resolve()


@functools.cache
def failure(name):
    """Why a system cannot be had, None if it can; tried once."""
    try:
        run(enter(provide(name), [], ["true"]))
    except LabError as error:
        return str(error)
    return None


def provide(name):
    """The path of a system, which is built if it is not there yet."""
    folder = cache()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    with open(folder / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            print(f"building {path} (once, about a minute)", flush=True)
            build(folder / f"{name}.new", SYSTEMS[name], SUITES.get(name))
            (folder / f"{name}.new").rename(path)
    return path


def build(path, packages, other):
    """Makes a Debian system with these packages, none of whose services is started.

    `other` is the suite, None for the machine's own.
    """
    if not shutil.which("debootstrap"):
        raise LabError("debootstrap is not installed")
    if path.exists():
        shutil.rmtree(path)
    mirror, suite = source()
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive", LC_ALL="C.UTF-8", **proxy())
    run(["debootstrap", "--variant=minbase", other or suite, path, mirror], env=environment)
    policy = path / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    install = ["apt-get", "-qq", "-y", "--no-install-recommends", "install", *packages]
    run(["chroot", path, *install], env=environment)
    run(["chroot", path, "apt-get", "clean"], env=environment)
    for folder in ("srv/lab", "srv/tls", "run/courier"):
        (path / folder).mkdir(parents=True, exist_ok=True)


def source():
    """Mirror and suite of the Debian that this machine is, as its apt knows them."""
    wanted = run(["sh", "-c", ". /etc/os-release && echo $ID $VERSION_CODENAME"]).split()
    fields = "$(REPO_URI) $(CODENAME) $(COMPONENT) $(ORIGIN)"
    listing = run(["apt-get", "indextargets", "--format", fields, "Identifier: Packages"])
    for line in listing.splitlines():
        uri, *kind = line.split()
        if wanted[:1] == ["debian"] and kind[:3] == [*wanted[1:], "main", "Debian"]:
            return uri, wanted[1]
    raise LabError("apt knows no Debian mirror for this machine's own release (apt-get update?)")


def proxy():
    """The proxy that apt uses, for debootstrap."""
    found = subprocess.run(
        ["apt-config", "dump", "--format", "%v", "Acquire::http::Proxy"],
        stdout=subprocess.PIPE, text=True, check=False,
    ).stdout.strip()  # fmt: skip
    return {"http_proxy": found} if found else {}


def enter(system, mounts, argv):
    """The command that runs `argv` in a system, with `mounts` (source, target) put over it."""
    pairs = [f"{outside}:{inside}" for outside, inside in mounts]
    alone = ["unshare", "--mount", "--propagation", "private"]
    return [*alone, "sh", "-c", ENTER, "enter", system, *pairs, "--", *argv]


def user(system, name):
    """Number and group of a user of the system."""
    for line in (system / "etc/passwd").read_text().splitlines():
        fields = line.split(":")
        if fields[0] == name:
            return int(fields[2]), int(fields[3])
    raise LabError(f"{system} has no user {name}")
