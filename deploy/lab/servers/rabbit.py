"""RabbitMQ: one node with a port mapper and a cookie of its own, in AMQP with and without TLS.

The machine's own package, or RabbitMQ 4 in a Debian system apart. Either is the lab's `rabbitmq`.
"""

import os
import secrets
import shlex
from pathlib import Path

from . import chroots

ADDRESS = "127.0.0.1"

# RabbitMQ 4.0 and Erlang 27 (Debian 13).
SYSTEM = "rabbitmq-4-1"

# The scripts of Debian's package that do not switch to its user: everything lies in the lab.
PROGRAMS = "/usr/lib/rabbitmq/bin"

# Talks to the node as an operator does; the environment names which node.
CTL = """#!/bin/sh
# rabbitmqctl for this lab's node: {folder}/ctl status
{exports}
exec {command} --longnames "$@"
"""


def start(lab, tls, system=None):
    """Writes the configuration, and starts the port mapper and the node, in a system if one is given."""
    folder, log = lab.folder("rabbitmq", 0o700), lab.root / "rabbitmq/log"
    amqp, amqps, mapper, between = (lab.port(ADDRESS) for _ in range(4))
    user, password = "lab", secrets.token_hex(8)
    # Where the node itself sees its folder and the certificates.
    inside, certificates = (Path("/srv/lab"), Path("/srv/tls")) if system else (folder, tls)
    mounts = [(folder, inside), (tls, certificates), ("/proc", "/proc")]

    def command(*argv):
        return chroots.enter(system, mounts, argv) if system else list(argv)

    lab.write("rabbitmq.conf", folder / "rabbitmq.conf", amqp=amqp, amqps=amqps, tls=certificates)
    with open(folder / "rabbitmq.conf", "a") as configuration:
        configuration.write(f"default_user = {user}\ndefault_pass = {password}\n")
    (folder / "plugins").write_text("[].\n")
    variables = environment(inside, mapper, between)
    exports = "\n".join(f"export {name}='{value}'" for name, value in variables.items())
    ctl = folder / "ctl"
    talk = shlex.join(str(word) for word in command(f"{PROGRAMS}/rabbitmqctl"))
    ctl.write_text(CTL.format(folder=folder, exports=exports, command=talk))
    ctl.chmod(0o700)
    lab.start("epmd", command("epmd", "-address", ADDRESS, "-port", mapper), log)
    endpoints = [f"{ADDRESS}:{amqp}", f"{ADDRESS}:{amqps}"]
    argv = command(f"{PROGRAMS}/rabbitmq-server")
    process = lab.start_again("rabbitmq", argv, log, endpoints, **variables)
    at = f"{user}:{password}@{ADDRESS}"
    lab.facts["rabbitmq"] = {
        # What `up --only` calls it, for whoever wants another one like it.
        "name": "rabbitmq4" if system else "rabbitmq",
        "url": f"amqp://{at}:{amqp}/%2f",
        "tls_url": f"amqps://{at}:{amqps}/%2f",
        "ctl": str(ctl),
        "folder": str(folder),
    }
    lab.serve("rabbitmq", amqp=f"{ADDRESS}:{amqp}", amqps=f"{ADDRESS}:{amqps}")
    return process, endpoints, log


def environment(folder, mapper, between):
    """What keeps the node in `folder`, and apart from any other on this machine."""
    return {
        "HOME": folder,
        "LANG": "C.UTF-8",
        "PATH": os.environ["PATH"],
        "ERL_EPMD_ADDRESS": ADDRESS,
        "ERL_EPMD_PORT": mapper,
        "RABBITMQ_USE_LONGNAME": "true",
        "RABBITMQ_NODENAME": f"lab{between}@{ADDRESS}",
        "RABBITMQ_DIST_PORT": between,
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "RABBITMQ_CONFIG_FILE": folder / "rabbitmq.conf",
        "RABBITMQ_CONF_ENV_FILE": folder / "none",
        "RABBITMQ_ADVANCED_CONFIG_FILE": folder / "none.config",
        "RABBITMQ_ENABLED_PLUGINS_FILE": folder / "plugins",
        "RABBITMQ_MNESIA_BASE": folder / "mnesia",
        "RABBITMQ_LOG_BASE": folder,
        "RABBITMQ_PID_FILE": folder / "pid",
    }
