"""The request of an http(s) source op, and the name of its file."""

from __future__ import annotations

import re

from pybuild.lang.diagnostics import UserError
from pybuild.runtime.cache.records import digest_of
from pybuild.runtime.registry.errors import shown_url
from pybuild.runtime.session.types import MissingSecret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pybuild.compiler.ops import SourceOp
    from pybuild.runtime.session.types import Secrets

UNNAMED = "download"
"""Name of a file without a name in the op, the answer, and the address."""

MODE = 0o600
"""Mode of files unless the op has one, as in BuildKit."""
HEADERS = ("accept", "user-agent")
"""Headers that an op may set; like BuildKit, others are ignored."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_ATTRIBUTES = frozenset(
    {
        "http.checksum",
        "http.filename",
        "http.perm",
        "http.uid",
        "http.gid",
        "http.authheadersecret",
    }
)


class HttpRequest:
    """The parsed source op. `url` is without the login, which is in `login` (`user:password`, decoded; "" without
    one). `headers` are those of the op, with names in lower case."""

    __slots__ = ("checksum", "gid", "headers", "login", "mode", "name", "secret", "uid", "url")

    def __init__(self, op: SourceOp) -> None:
        """Parse the op. Raises UserError."""
        from urllib.parse import unquote

        attrs = op.attrs
        _check(op)
        scheme, _, rest = op.identifier.partition("://")
        rest = rest.partition("#")[0]
        end = re.search(r"[/?]|$", rest)
        assert end is not None
        user, _, host = rest[: end.start()].rpartition("@")
        if not host:
            raise UserError(f"invalid URL {shown_url(op.identifier)}: it names no host")
        self.url = f"{scheme}://{host}{rest[end.start() :]}"
        self.login = unquote(user) if ":" in user or not user else unquote(user) + ":"
        self.checksum = attrs.get("http.checksum", "")
        self.name = safe_name(attrs["http.filename"]) if attrs.get("http.filename") else ""
        self.mode = (number(op, "http.perm") & 0o777) or MODE
        self.uid, self.gid = number(op, "http.uid"), number(op, "http.gid")
        self.secret = attrs.get("http.authheadersecret", "")
        prefix = "http.header."
        self.headers = {
            name.removeprefix(prefix).lower(): value
            for name, value in attrs.items()
            if name.startswith(prefix) and name.removeprefix(prefix).lower() in HEADERS
        }

    def identity(self) -> str:
        """Return a digest of the address and of everything else that shapes the result. A digest, as it is recorded
        in the store and the address may have a login."""
        headers = [f"{name}:{value}" for name, value in sorted(self.headers.items())]
        return digest_of(
            self.url,
            self.login,
            self.name,
            f"{self.mode:o}",
            f"{self.uid}:{self.gid}",
            self.secret,
            *headers,
        )

    def sent(self, secrets: Secrets) -> dict[str, str]:
        """Return the headers to send, with authorization by the op's secret, else by the client's secrets for the
        host: `HTTP_AUTH_TOKEN_HOST`, else `HTTP_AUTH_HEADER_HOST`. Raises MissingSecret for the op's secret."""
        from base64 import b64encode

        headers = dict(self.headers)
        if self.login:
            headers["Authorization"] = "Basic " + b64encode(self.login.encode()).decode("ascii")
        if self.secret:
            value = secrets.get(self.secret)
            if value is None:
                raise MissingSecret(
                    f"failed to retrieve HTTP auth secret {self.secret}",
                    self.secret,
                    help=f"give it with --secret id={self.secret}",
                )
            headers["Authorization"] = _header(self.secret, value)
            return headers
        host = host_of(self.url)
        for name, before in (("HTTP_AUTH_HEADER_" + host, ""), ("HTTP_AUTH_TOKEN_" + host, "Bearer ")):
            secret = secrets.get(name)
            if secret is not None:
                headers["Authorization"] = before + _header(name, secret)
        return headers


def _check(op: SourceOp) -> None:
    for name in sorted(op.attrs):
        if name not in _ATTRIBUTES and not name.startswith("http.header."):
            raise UserError(f"this version does not execute {name} of a source")
    checksum = op.attrs.get("http.checksum", "")
    if checksum and not _DIGEST.fullmatch(checksum):
        raise UserError(
            f"invalid checksum {checksum!r} of {shown_url(op.identifier)}",
            help="write sha256: and 64 hex digits",
        )
    if re.search(r"[\x00-\x20\x7f]", op.identifier):
        raise UserError(f"invalid URL {shown_url(op.identifier)!r}: it holds blanks or control characters")


def number(op: SourceOp, attribute: str) -> int:
    """Return the value of a numeric attribute in Go's notation, 0 without one. Raises UserError."""
    text = op.attrs.get(attribute, "") or "0"
    octal = re.fullmatch(r"0[0-7]+", text)
    if octal is None and not re.fullmatch(r"[0-9]{1,10}|0[xob][0-9a-fA-F]{1,10}", text):
        raise UserError(f"the attribute {attribute} of {shown_url(op.identifier)} is no number: {text!r}")
    try:
        value = int(text, 8 if octal else 0)
    except ValueError:
        value = 1 << 32
    if value >= 1 << 32:
        raise UserError(f"the attribute {attribute} of {shown_url(op.identifier)} is no number: {text!r}")
    return value


def _header(name: str, value: bytes) -> str:
    """Return a secret as the value of a header, without a line end behind it. Raises UserError."""
    text = value.decode("utf-8", "replace").rstrip("\r\n")
    if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", text):
        raise UserError(f"the secret {name} is no header: it has control characters in it")
    return text


def host_of(url: str) -> str:
    """Return the host of an address, without its port."""
    from urllib.parse import urlsplit

    return urlsplit(url).hostname or ""


def file_name(url: str, headers: Mapping[str, str] | None = None) -> str:
    """Return the name in the Content-Disposition header, else the last part of the address's path."""
    from urllib.parse import unquote

    stated = _disposition(headers.get("Content-Disposition", "")) if headers else ""
    if stated and not stated.endswith("/"):
        return safe_name(stated)
    path = re.split(r"[?#]", url.partition("://")[2], maxsplit=1)[0].partition("/")[2]
    return safe_name(unquote(path, errors="surrogateescape"))


def safe_name(name: str) -> str:
    """Return the last part of a path as a file name that stays in its directory."""
    last = name.rstrip("/").rpartition("/")[2].replace("\0", "")
    return UNNAMED if last in ("", ".", "..") else last


def _disposition(header: str) -> str:
    """Return the file name in a Content-Disposition header, "" without one. The extended form (RFC 6266, `filename*`)
    comes before the plain one."""
    if not header:
        return ""
    from email.message import Message
    from email.utils import collapse_rfc2231_value

    message = Message()
    message["Content-Disposition"] = re.sub(r"[\r\n]", " ", header)
    names = [
        collapse_rfc2231_value(value)
        for name, value in message.get_params([], header="Content-Disposition")
        if name.lower() == "filename"
    ]
    return names[-1] if names else ""
