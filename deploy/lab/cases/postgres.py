"""PostgreSQL: it answers over TLS, and its certificate is the good one."""

import os
import subprocess

from cases.frame import case


@case("postgres", "SELECT over TLS", r"^TLSv1\.[23]$")
def select(_, lab):
    """The version of TLS, as the server sees its own connection."""
    statement = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    url = lab["postgres"]["tls_url"].replace("sslmode=require", "sslmode=verify-full")
    done = subprocess.run(
        ["psql", url, "--no-psqlrc", "--tuples-only", "--no-align", "--command", statement],
        env={"PATH": os.environ["PATH"], "PGSSLROOTCERT": lab["ca_file"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    return (done.stdout + done.stderr).strip()
