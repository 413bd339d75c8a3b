"""Makes the lab's certificate authority and one chain for each certificate case, with openssl.

An authority, an intermediate one, and leaves below it. `openssl ca` is used, although it is the
clumsiest, because it alone sets both dates.
"""

from .lab import run

# The name in the good certificate, and the addresses that it is good for too.
HOST = "mail.lab.test"
ADDRESSES = [
    *(f"127.0.0.{n}" for n in (*range(10, 19), *range(20, 29), 40, 41, 50, 60)),
    "127.0.0.1",
]

NAMES = f"DNS:{HOST}," + ",".join(f"IP:{each}" for each in ADDRESSES)

PAST, RECENT, FAR, FURTHER = (
    "20200101000000Z",
    "20210101000000Z",
    "20450101000000Z",
    "20460101000000Z",
)

# Case to (subject, alternative names, first day, last day).
LEAVES = {
    "good": (HOST, NAMES, PAST, FAR),
    "expired": (HOST, NAMES, PAST, RECENT),
    "not_yet_valid": (HOST, NAMES, FAR, FURTHER),
    "wrong_host": ("mail.other.test", "DNS:mail.other.test,DNS:other.test", PAST, FAR),
    "name_in_subject": (HOST, None, PAST, FAR),
}

# What `openssl ca` and `openssl req` want to be told.
CONFIGURATION = """
[ca]
default_ca = lab
[lab]
new_certs_dir = {folder}
database = {folder}/index.txt
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
copy_extensions = none
[any]
commonName = supplied
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = ${{ENV::NAMES}}
[nameless]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
"""


def make(folder):
    """Writes ca.pem and, for every case, CASE.pem (chain) and CASE.key into `folder`."""
    (folder / "index.txt").write_text("")
    config = folder / "openssl.cnf"
    config.write_text(CONFIGURATION.format(folder=folder))
    root = [*new_key("ca", folder), "-x509", "-subj", "/CN=Lab root", "-days", "7300"]
    openssl(config, ["req", *root, "-extensions", "authority", "-out", folder / "ca.pem"])
    sign(config, folder, "intermediate", "ca", "Lab intermediate", "authority", PAST, FURTHER)
    chain = (folder / "intermediate.pem").read_text()
    for case, (subject, names, first, last) in LEAVES.items():
        kind = "leaf" if names else "nameless"
        sign(config, folder, case, "intermediate", subject, kind, first, last, names)
        leaf = folder / f"{case}.pem"
        if case == "good":
            (folder / "no_intermediate.pem").write_text(leaf.read_text())
            (folder / "no_intermediate.key").write_text((folder / "good.key").read_text())
        leaf.write_text(leaf.read_text() + chain)
    alone = [*new_key("self_signed", folder), "-x509", "-subj", f"/CN={HOST}", "-days", "7300"]
    out = ["-extensions", "leaf", "-out", folder / "self_signed.pem"]
    openssl(config, ["req", *alone, *out], NAMES)
    for key in folder.glob("*.key"):
        key.chmod(0o600)


def new_key(name, folder):
    """The words of `openssl req` that make a new key."""
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    return ["-new", *curve, "-nodes", "-keyout", folder / f"{name}.key"]


def sign(config, folder, name, issuer, subject, kind, first, last, names=None):
    """Makes a key and a certificate signed by `issuer`."""
    request = folder / f"{name}.csr"
    openssl(config, ["req", *new_key(name, folder), "-subj", f"/CN={subject}", "-out", request])
    by = ["-cert", folder / f"{issuer}.pem", "-keyfile", folder / f"{issuer}.key"]
    dates = ["-startdate", first, "-enddate", last]
    what = ["-extensions", kind, "-in", request, "-out", folder / f"{name}.pem"]
    openssl(config, ["ca", "-batch", "-notext", *by, *dates, *what], names)


def openssl(config, words, names=None):
    """Runs openssl with the alternative names that the configuration takes from the environment."""
    run(["openssl", words[0], "-config", config, *words[1:]], env={"NAMES": names or "DNS:unused"})
