"""One running lab: its directory, ports, processes, and the description that tests read.

Everything that a server writes lies in the lab's directory. Processes are known by their number and
start time, so that stopping never hits a stranger that got the same number later.
"""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

CONF = Path(__file__).resolve().parent.parent / "conf"

# Longest wait for a server to answer, in seconds. Mail servers need 0.1 s to 0.5 s, RabbitMQ 7 s; a
# busy machine more.
READY_SECONDS = 60

# Longest wait for a process to end after SIGTERM, in seconds, before it is killed.
STOP_SECONDS = 5

# Where ports are looked for: below the kernel's range for outgoing connections and for port 0.
PORTS = range(20000, 32000)

# Unix sockets in the lab's directory must stay below the kernel's limit of 107 bytes.
LONGEST_ROOT = 50

# How each server is asked to end, where SIGTERM is not what is meant: PostgreSQL would wait for its
# clients.
ENDING = {"postgres": signal.SIGINT}

# How a server is made to crash, where SIGKILL would leave children behind that hold its data: the
# immediate end of PostgreSQL writes nothing down either, and the next start recovers.
CRASHING = {"postgres": signal.SIGQUIT}

# Ends or starts one server of a lab that runs: deploy/lab/one.
ONE = """#!/bin/sh
# Asks the lab's {name} to {verb}, and waits until it has: {path}
exec python3 {program} {root} {name} {verb}
"""


class LabError(Exception):
    """The lab cannot run, with a text for the person who started it."""


def stat(pid):
    """Session and start time (clock ticks since boot) of a process; None if gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else (int(fields[3]), int(fields[19]))


def members(leader, started):
    """The processes of the session that `leader`, started at `started`, was given.

    The kernel keeps a number from being used again while a session has it, so that a living leader
    with another start time means that the session is over.
    """
    now = stat(leader)
    if now is not None and now[1] != started:
        return []
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit())
    return [pid for pid in pids if (stat(pid) or (None,))[0] == leader]


class Lab:
    """The servers of one directory while they are being started."""

    def __init__(self, root):
        self.root = root
        self.reserved = []
        self.servers = {}
        self.missing = {}
        self.facts = {}

    def folder(self, name, mode=0o755):
        """Makes a folder in the lab's directory."""
        path = self.root / name
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)
        return path

    def port(self, *addresses):
        """Reserves one port that is free on all `addresses`.

        The reservation is a bound socket that never listens: Linux lets the server bind beside it,
        and nobody else is given the port meanwhile.
        """
        for port in random.sample(PORTS, 200):
            held = []
            try:
                for address in addresses:
                    held.append(socket.socket())
                    # Without this option first: a port in use, even closing, must be refused.
                    held[-1].bind((address, port))
                    held[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            except OSError:
                for each in held:
                    each.close()
                continue
            self.reserved += held
            return port
        raise LabError(f"no free port on {', '.join(addresses)}")

    def release_ports(self):
        """Drops the reservations, once the servers listen."""
        for each in self.reserved:
            each.close()
        self.reserved = []

    def write(self, template, path, mode=0o644, **values):
        """Fills `conf/<template>` in (every @NAME@ must be known) and writes it to `path`."""
        text = (CONF / template).read_text()
        for name, value in values.items():
            text = text.replace(f"@{name.upper()}@", str(value))
        left = [word for word in text.split("@")[1:] if word.isupper() and word.isalpha()]
        if left:
            raise LabError(f"conf/{template}: no value for {', '.join(left)}")
        path.write_text(text)
        path.chmod(mode)

    def start(self, name, argv, log, user=None, **environment):
        """Starts a server in a session of its own, its output going to `log`, and records it."""
        if not shutil.which(str(argv[0])):
            raise LabError(f"{name}: {argv[0]} is not installed (deploy/test.sh --only lab)")
        with open(log, "ab") as output:
            process = subprocess.Popen(
                [str(word) for word in argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
                | {key: str(value) for key, value in environment.items()},
                **as_user(user),
            )
        with open(self.root / "processes", "a") as table:
            started = (stat(process.pid) or (0, 0))[1]
            table.write(f"{process.pid} {started} {name}\n")
        return process

    def start_again(self, name, argv, log, endpoints, user=None, **environment):
        """Starts a server that `start`, `stop` and `kill` in its folder can end and start again."""
        recipe = dict(argv=[str(word) for word in argv], log=str(log), endpoints=endpoints)
        recipe |= dict(user=user, environment={key: str(it) for key, it in environment.items()})
        folder = self.root / name
        (folder / "recipe.json").write_text(json.dumps(recipe, indent=2) + "\n")
        program = Path(__file__).resolve().parent.parent / "one"
        for verb in ("start", "stop", "kill"):
            path = folder / verb
            text = ONE.format(name=name, verb=verb, path=path, program=program, root=self.root)
            path.write_text(text)
            path.chmod(0o700)
        return self.start(name, argv, log, user, **environment)

    def wait_for(self, name, endpoints, process, log):
        """Waits until every one of `endpoints` accepts connections."""
        deadline = time.monotonic() + READY_SECONDS
        for endpoint in endpoints:
            host, port = endpoint.rsplit(":", 1)
            while not accepts(host, int(port)):
                ended = process.poll() is not None
                if ended or time.monotonic() > deadline:
                    why = "ended" if ended else f"did not listen on {endpoint}"
                    raise LabError(f"{name} {why}; the end of {log}:\n{tail(log)}")
                time.sleep(0.02)

    def serve(self, name, **endpoints):
        """Adds a server and its endpoints (`kind="address:port"`) to the description."""
        self.servers.setdefault(name, {}).update(endpoints)

    def describe(self):
        """Writes lab.json and lab.env; a reader never sees half of either."""
        description = dict(self.facts, servers=self.servers, missing=self.missing)
        text = json.dumps(description, indent=2, ensure_ascii=False) + "\n"
        lines = [f"MAILFLEET_LAB={self.root / 'lab.json'}", f"LAB_CA_FILE={self.facts['ca_file']}"]
        for name, endpoints in sorted(self.servers.items()):
            for kind, endpoint in sorted(endpoints.items()):
                lines.append(f"LAB_{name}_{kind}".upper() + f"={endpoint}")
        for name, content in (("lab.env", "\n".join(lines) + "\n"), ("lab.json", text)):
            partial = self.root / f"{name}.new"
            partial.write_text(content)
            partial.rename(self.root / name)


def accepts(host, port):
    """Whether something accepts connections there."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def tail(log, lines=25):
    """The end of a log, for an error message."""
    try:
        text = Path(log).read_text(errors="replace")
    except OSError as error:
        return f"(no log: {error})"
    return "\n".join(text.splitlines()[-lines:]) or "(the log is empty)"


def run(argv, **options):
    """Runs a command that must succeed; its output is shown only when it does not."""
    done = subprocess.run(
        [str(word) for word in argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        **options,
    )
    if done.returncode != 0:
        raise LabError(f"{' '.join(map(str, argv))} failed:\n{done.stdout[-3000:]}")
    return done.stdout


def as_user(name):
    """The arguments of `subprocess` that run something as another user, with no other groups."""
    return {} if name is None else dict(user=name, group=name, extra_groups=[])


def recorded(root):
    """Number, start time and name of every process that the lab of `root` has started."""
    table = root / "processes"
    lines = table.read_text().splitlines() if table.exists() else []
    fields = (line.split(" ", 2) for line in lines)
    return [(int(pid), int(started), name) for pid, started, name in fields]


def stop(root):
    """Stops every process that the lab of `root` recorded; returns the names that would not end."""
    table = root / "processes"
    if not table.exists():
        return []
    running = recorded(root)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for leader, started, name in running:
            for pid in members(leader, started):
                send(pid, ENDING.get(name, number) if number == signal.SIGTERM else number)
        deadline = time.monotonic() + STOP_SECONDS
        while running and time.monotonic() < deadline:
            running = [each for each in running if members(each[0], each[1])]
            time.sleep(0.02)
    if not running:
        table.unlink()
    return [name for _, _, name in running]


def send(pid, number):
    """Signals a process that may have ended meanwhile."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
