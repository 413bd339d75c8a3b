"""The certificate cases: what OpenSSL says about each, at every kind of TLS endpoint."""

from servers.talk import Talk, context

from cases.frame import case

# Case to what verification says.
VERDICTS = {
    "": "^OK",
    "expired": "certificate has expired",
    "wrong_host": "Hostname mismatch",
    "self_signed": "self-signed certificate",
    "no_intermediate": "unable to get local issuer certificate",
    "plaintext": "^OK",
    "limited": "^OK",
    # OpenSSL still accepts a name in the subject alone; rustls does not.
    "name_in_subject": "^OK",
    "not_yet_valid": "certificate is not yet valid",
}


def verdict(server, kind, pattern):
    """A case: a handshake that verifies the certificate."""

    @case(server, f"certificate of {kind}", pattern)
    def handshake(at, lab):
        with Talk(at[kind], context(lab["ca_file"])) as talk:
            return "OK " + talk.line()


for which, expected in VERDICTS.items():
    suffix = f"_{which}" if which else ""
    for each in ("imap_tls", "pop3_tls", "submission_tls"):
        verdict(f"dovecot{suffix}", each, expected)
    verdict(f"postfix{suffix}", "submission_tls", expected)
