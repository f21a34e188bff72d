"""Checks of private SSH key files, without decoding the key itself. Messages are those of Go's `ssh` package."""

from __future__ import annotations

MAX_KEY = 100 << 10
"""Most bytes that are read of a key file."""

_OPENSSH = b"openssh-key-v1\0"
_PROTECTED = "ssh: this private key is passphrase protected"


def read_key(path: str) -> tuple[bytes, str]:
    """Return a file's content, and the reason why it is no usable private key, "" if none is known. Raises
    OSError."""
    with open(path, "rb") as file:
        data = file.read(MAX_KEY)
    return data, problem(data)


def problem(data: bytes) -> str:
    """Return the reason why a key file is unusable, "" if none is known: it has no PEM block of a private key, or
    needs a passphrase."""
    lines = [line.strip() for line in data.splitlines()]
    begin = next((n for n, line in enumerate(lines) if line.startswith(b"-----BEGIN ")), None)
    if begin is None or not lines[begin].endswith(b"PRIVATE KEY-----"):
        return "ssh: no key found"
    kind = lines[begin].removeprefix(b"-----BEGIN ").removesuffix(b"-----")
    body = lines[begin + 1 :]
    if kind == b"ENCRYPTED PRIVATE KEY" or any(line.startswith(b"Proc-Type: 4,ENCRYPTED") for line in body):
        return _PROTECTED
    if kind == b"OPENSSH PRIVATE KEY":
        return _openssh_problem(body)
    return ""


def _openssh_problem(body: list[bytes]) -> str:
    """Check OpenSSH's own format: a magic, then the name of the cipher with its length (PROTOCOL.key of OpenSSH)."""
    from base64 import b64decode

    text = b"".join(body[: next((n for n, line in enumerate(body) if line.startswith(b"-----END")), 0)])
    try:
        blob = b64decode(text, validate=True)
    except ValueError:
        return "ssh: invalid openssh private key format"
    if not blob.startswith(_OPENSSH):
        return "ssh: invalid openssh private key format"
    start = len(_OPENSSH) + 4
    length = int.from_bytes(blob[len(_OPENSSH) : start], "big")
    return "" if blob[start : start + length] == b"none" else _PROTECTED
