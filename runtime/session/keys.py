"""What a file that should hold a private key for SSH holds, judged without decoding the key itself."""

from __future__ import annotations

MAX_KEY = 100 << 10
"""Bytes of a key file that are read."""

_OPENSSH = b"openssh-key-v1\0"
_PROTECTED = "ssh: this private key is passphrase protected"


def read_key(path: str) -> tuple[bytes, str]:
    """The file's content, and why it can't be used as a private key ("" where nothing speaks against it).
    Raises OSError."""
    with open(path, "rb") as file:
        data = file.read(MAX_KEY)
    return data, problem(data)


def problem(data: bytes) -> str:
    """Why the text of a key file can't be used: no PEM block of a private key, or one that needs a passphrase."""
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
    """Of OpenSSH's own format: its magic, then the name of the cipher as a string with its length."""
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
