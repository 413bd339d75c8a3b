"""Postfix: an MX, and submission for each certificate case, delivering into Dovecot."""

from . import dovecot, people
from .certificates import HOST
from .lab import LabError, run, tail

# Case to address. The server's name in lab.json is `postfix`, or `postfix_<case>`.
CASES = {
    "": "127.0.0.20",
    "expired": "127.0.0.21",
    "wrong_host": "127.0.0.22",
    "self_signed": "127.0.0.23",
    "no_intermediate": "127.0.0.24",
    "plaintext": "127.0.0.25",
    "name_in_subject": "127.0.0.26",
    "not_yet_valid": "127.0.0.27",
}

# What every service for users has set; AUTH is offered, and the sender must be the user's own.
SUBMISSION = {
    "smtpd_sasl_auth_enable": "yes",
    "smtpd_tls_auth_only": "yes",
    "smtpd_tls_security_level": "encrypt",
    "smtpd_sender_restrictions": "reject_authenticated_sender_login_mismatch",
    "smtpd_relay_restrictions": "permit_sasl_authenticated,reject",
    "smtpd_recipient_restrictions": "{access},permit_sasl_authenticated,reject",
}

# What a TLS service changes to be too old for a modern client. OpenSSL refuses the old versions at
# its usual level of security.
OLD = {
    "tls1_0": ("TLSv1", "ALL:@SECLEVEL=0"),
    "tls1_1": ("TLSv1.1", "ALL:@SECLEVEL=0"),
    "old_ciphers": ("TLSv1.2", "ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA"),
}

# Kind of endpoint (at the first address) to what it changes from SUBMISSION.
VARIANTS = {
    "submission_small": {"message_size_limit": "4096"},
    "submission_single": {"smtpd_client_connection_count_limit": "1"},
    "submission_no_starttls": {"smtpd_tls_security_level": "none", "smtpd_tls_auth_only": "no"},
}
for old, (version, ciphers) in OLD.items():
    options = {
        "smtpd_tls_mandatory_protocols": version,
        "smtpd_tls_mandatory_ciphers": "high",
        "tls_high_cipherlist": ciphers,
    }
    VARIANTS[f"submission_{old}"] = options
    VARIANTS[f"wrapped_{old}"] = options | {"smtpd_tls_wrappermode": "yes"}

# The daemons that Postfix is made of, as its own master.cf has them: type, wakeup, limit, command.
DAEMONS = """
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
proxymap  unix  - - n - - proxymap
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
lmtp      unix  - - n - - lmtp
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""


def prepare(lab):
    """Chooses the ports; Dovecot's submission service needs the address of `relay`."""
    everywhere = ("submission", "submission_tls")
    ports = {kind: lab.port(*CASES.values()) for kind in everywhere}
    ports.update({kind: lab.port(CASES[""]) for kind in ("mx", "relay", *VARIANTS)})
    return {"ports": ports, "relay": f"{CASES['']}:{ports['relay']}"}


def start(lab, plan, mailboxes):
    """Writes the configuration and starts Postfix; `mailboxes` is Dovecot's plan."""
    folder, ports, tls = lab.folder("postfix"), plan["ports"], mailboxes["tls"]
    etc, queue = lab.folder("postfix/etc"), lab.folder("postfix/queue")
    data, log = lab.folder("postfix/data", 0o700), folder / "log"
    run(["chown", "postfix", data])
    write_maps(etc)
    lab.write(
        "postfix-main.cf",
        etc / "main.cf",
        queue=queue, data=data, log=log, root=lab.root, host=HOST, etc=etc, tls=tls,
        lmtp=f"{dovecot.CASES['']}:{mailboxes['ports']['lmtp']}",
        sasl=mailboxes["run"] / "auth-postfix",
    )  # fmt: skip
    access = f"check_recipient_access texthash:{etc}/access"
    (etc / "master.cf").write_text(DAEMONS + services(ports, tls, access.replace(" ", ",")))
    # This makes the queue's folders too. Mistakes are reported only in the log.
    try:
        run(["postfix", "-c", etc, "check"])
    except LabError as error:
        raise LabError(f"{error}\n{tail(log)}") from error
    # `postfix start` and `start-fg` put the master into a session of its own, out of our sight.
    argv = ["/usr/lib/postfix/sbin/master", "-c", etc, "-d"]
    process = lab.start("postfix", argv, log)
    for case, address in CASES.items():
        name = f"postfix_{case}" if case else "postfix"
        kinds = ports if not case else ("submission", "submission_tls")
        lab.serve(name, **{kind: f"{address}:{ports[kind]}" for kind in kinds})
    return process, [f"{CASES['']}:{port}" for port in ports.values()], log


def services(ports, tls, access):
    """The network services of master.cf."""
    text = service(f"{CASES['']}:{ports['mx']}", {})
    text += service(
        f"{CASES['']}:{ports['relay']}",
        {"smtpd_relay_restrictions": "permit_mynetworks,reject",
         "smtpd_recipient_restrictions": f"{access},permit_mynetworks,reject"},
    )  # fmt: skip
    users = {name: value.format(access=access) for name, value in SUBMISSION.items()}
    for case, address in CASES.items():
        options = dict(users)
        if case == "plaintext":
            options.update(smtpd_tls_auth_only="no", smtpd_tls_security_level="may")
        elif case:
            options["smtpd_tls_cert_file"] = tls / f"{case}.pem"
            options["smtpd_tls_key_file"] = tls / f"{case}.key"
        text += service(f"{address}:{ports['submission']}", options)
        wrapped = options | {"smtpd_tls_wrappermode": "yes"}
        text += service(f"{address}:{ports['submission_tls']}", wrapped)
    for kind, changes in VARIANTS.items():
        text += service(f"{CASES['']}:{ports[kind]}", users | changes)
    return text


def service(endpoint, options):
    """One SMTP server process of master.cf."""
    lines = "".join(f"    -o {name}={value}\n" for name, value in options.items())
    return f"{endpoint} inet n - n - - smtpd\n{lines}"


def write_maps(etc):
    """The tables: who exists, who may send as whom, who is refused, who is lost or renamed."""
    everybody = [people.address(name) for name in people.passwords()]
    here = [*everybody, *(people.address(name) for name in people.RECIPIENTS if name != "unknown")]
    junk, old, new = (people.address(each) for each in ("junked+Junk", "rewritten", "renamed"))
    tables = {
        "recipients": [(each, "OK") for each in dict.fromkeys([*here, junk])],
        "owners": [(each, each) for each in everybody],
        "aliases": [(people.address("junked"), junk), (junk, junk)],
        "transport": [(people.address("lost"), "discard:")],
        "rewritten": [(old, new)],
        "access": [
            (people.address("full"), "452 4.2.2 Mailbox full"),
            (people.address("greylisted"), "450 4.7.1 Greylisted, come back later"),
            (people.address("blocked"), "550 5.7.1 Blocked by policy"),
        ],
    }
    for name, rows in tables.items():
        (etc / name).write_text("".join(f"{key} {value}\n" for key, value in rows))
