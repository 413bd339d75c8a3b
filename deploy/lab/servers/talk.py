"""Plain conversations with mail servers, to see that each answers as the tests expect.

It trusts nothing but sockets and the standard library's TLS, and shares no code with the project.
"""

import base64
import hashlib
import hmac
import re
import secrets
import socket
import ssl

# Longest wait for a reply, in seconds. Courier answers a wrong password after 5 s.
REPLY_SECONDS = 15

# Whole replies of IMAP and SMTP, by their last line; POP3's and greetings are single lines.
TAGGED, SMTP_LAST = re.compile(r"t\d+ |\+|\* BYE"), re.compile(r"\d{3} ")


class Talk:
    """One connection."""

    def __init__(self, endpoint, context=None, name="mail.lab.test"):
        host, port = endpoint.rsplit(":", 1)
        self.name = name
        self.socket = socket.create_connection((host, int(port)), timeout=REPLY_SECONDS)
        self.tag = 0
        if context:
            self.wrap(context)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def wrap(self, context):
        """Starts TLS."""
        self.socket = context.wrap_socket(self.socket, server_hostname=self.name)
        self.file = self.socket.makefile("rb")

    def line(self):
        """The next line, empty at the end of the stream."""
        return self.file.readline().decode(errors="replace").rstrip("\r\n")

    def until(self, last):
        """The lines up to one that begins with `last`."""
        lines = []
        while not lines or (lines[-1] and not last.match(lines[-1])):
            lines.append(self.line())
        return "\n".join(lines)

    def send(self, text):
        """Sends one line."""
        self.socket.sendall(text.encode() + b"\r\n")

    def imap(self, command):
        """Sends a command with a new tag; returns the reply up to its tagged line or prompt."""
        self.tag += 1
        self.send(f"t{self.tag} {command}")
        return self.until(TAGGED)

    def imap_more(self, text):
        """Answers a prompt."""
        self.send(text)
        return self.until(TAGGED)

    def smtp(self, command):
        """Sends a command; returns the whole reply."""
        self.send(command)
        return self.until(SMTP_LAST)

    def pop3(self, command):
        """Sends a command; returns the first line of the reply."""
        self.send(command)
        return self.line()


def context(ca_file=None, old=None):
    """TLS settings: verified against `ca_file`, or not at all; `old` is the one version to speak."""
    made = ssl.create_default_context(cafile=ca_file)
    if not ca_file:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    if old:
        made.set_ciphers("ALL:@SECLEVEL=0")
        made.minimum_version = made.maximum_version = old
    return made


def encoded(text):
    """Base64 of a text."""
    return base64.b64encode(text.encode()).decode()


def plain(user, password):
    """The response of SASL PLAIN."""
    return encoded(f"\0{user}\0{password}")


def xoauth2(user, token):
    """The response of SASL XOAUTH2."""
    return encoded(f"user={user}\1auth=Bearer {token}\1\1")


def oauthbearer(user, token):
    """The response of SASL OAUTHBEARER (RFC 7628 section 3.1)."""
    return encoded(f"n,a={user},\1auth=Bearer {token}\1\1")


def cram_md5(user, password, challenge):
    """The response of CRAM-MD5 (RFC 2195)."""
    text = base64.b64decode(challenge)
    return encoded(f"{user} {hmac.new(password.encode(), text, hashlib.md5).hexdigest()}")


class Scram:
    """The client's side of SCRAM (RFC 5802), without channel binding."""

    def __init__(self, digest, user, password):
        self.digest, self.password = digest, password
        self.bare = f"n={user},r={secrets.token_hex(12)}"
        self.first = encoded("n,," + self.bare)

    def final(self, challenge):
        """The second message, for the server's first one in base64."""
        text = base64.b64decode(challenge).decode()
        fields = dict(each.split("=", 1) for each in text.split(","))
        salt, rounds = base64.b64decode(fields["s"]), int(fields["i"])
        salted = hashlib.pbkdf2_hmac(self.digest, self.password.encode(), salt, rounds)
        key = hmac.digest(salted, b"Client Key", self.digest)
        without_proof = f"c=biws,r={fields['r']}"
        message = f"{self.bare},{text},{without_proof}".encode()
        stored = hashlib.new(self.digest, key).digest()
        signature = hmac.digest(stored, message, self.digest)
        proof = bytes(a ^ b for a, b in zip(key, signature))
        return encoded(f"{without_proof},p={base64.b64encode(proof).decode()}")
