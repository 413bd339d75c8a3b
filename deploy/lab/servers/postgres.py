"""PostgreSQL: one cluster on loopback, in clear and over TLS, with a client of its own."""

import glob
import os
import secrets
import shutil

from .lab import LabError, as_user, run

ADDRESS = "127.0.0.1"

# PostgreSQL refuses to run as root; Debian's package makes this user.
USER = "postgres"

# Runs SQL as the lab's user does; the words of psql follow.
PSQL = """#!/bin/sh
# psql for this lab's server: {folder}/psql -c 'SELECT 1'
exec {programs}/psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 '{url}' "$@"
"""


def programs():
    """The folder of the server's programs; None where it is not installed."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    beside = shutil.which("initdb")
    return os.path.dirname(found[-1] if found else beside) if found or beside else None


def failure():
    """Why it cannot be started here; None if it can."""
    return None if programs() else "PostgreSQL is not installed (postgresql)"


def start(lab, tls):
    """Makes the cluster and starts the server."""
    where = programs()
    if where is None:
        raise LabError(failure())
    folder, log = lab.folder("postgres"), lab.root / "postgres/log"
    data, secret = folder / "data", folder / "password"
    user, password, port = "lab", secrets.token_hex(8), lab.port(ADDRESS)
    data.mkdir(mode=0o700)
    secret.write_text(password + "\n")
    secret.chmod(0o600)
    for path in (data, secret):
        shutil.chown(path, USER, USER)
    make = [f"{where}/initdb", "--no-sync", "--auth=scram-sha-256", "--encoding=UTF8"]
    make += ["--locale=C.UTF-8", f"--username={user}", f"--pwfile={secret}", f"--pgdata={data}"]
    run(make, cwd="/", **as_user(USER))
    secret.unlink()
    for name in ("good.pem", "good.key"):
        # A key is refused that is not the server's own.
        shutil.copy(tls / name, data / name)
        (data / name).chmod(0o600)
    lab.write("postgresql.conf", data / "postgresql.auto.conf", port=port)
    for name in ("good.pem", "good.key", "postgresql.auto.conf"):
        shutil.chown(data / name, USER, USER)
    url = f"postgres://{user}:{password}@{ADDRESS}:{port}"
    psql = folder / "psql"
    psql.write_text(PSQL.format(folder=folder, programs=where, url=f"{url}/postgres"))
    psql.chmod(0o700)
    argv = [f"{where}/postgres", "-D", data]
    endpoints = [f"{ADDRESS}:{port}"]
    process = lab.start_again("postgres", argv, log, endpoints, user=USER)
    lab.facts["postgres"] = {
        "url": f"{url}/postgres?sslmode=disable",
        "tls_url": f"{url}/postgres?sslmode=require",
        "psql": str(psql),
        "folder": str(folder),
    }
    lab.serve("postgres", sql=f"{ADDRESS}:{port}")
    return process, endpoints, log
