"""Parsing of addresses by the rules of Go's `net/url`, as far as sources need them.

Parts are decoded to text; bytes that aren't UTF-8 become surrogate escapes.
"""

from __future__ import annotations

import posixpath
import re

from attrs import frozen

UNNAMED = "__unnamed__"
"""The name of a downloaded file whose address ends without one."""

_ADDRESS = re.compile(
    r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)"
    r"(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?",
    re.DOTALL,
)
_HOST = re.compile(r"(?:\[[0-9A-Za-z:.%~-]*\]|(?:[A-Za-z0-9._~!$&'()*+,;=<>\"-]|[^\x00-\x7f])*)(?::[0-9]*)?")
_USER = re.compile(r"[A-Za-z0-9._:~!$&'()*+,;=%@-]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_NOT_IN_PATH = re.compile(r"[^A-Za-z0-9._~$&+,/:;=@!'()*\[\]%-]")


@frozen
class Address:
    """A parsed address.

    `scheme` is in lower case; `host` includes the port but not the user; `path` is decoded, `query` is as written.
    `bare` is the address without query and fragment, its path encoded.
    """

    scheme: str
    host: str
    path: str
    query: str
    fragment: str
    bare: str


def parse_address(text: str) -> Address | None:
    """Parse `scheme://[user@]host[/path][?query][#fragment]`; None for anything that isn't a valid address."""
    match = _ADDRESS.fullmatch(text)
    if match is None or _CONTROL.search(text):
        return None
    authority, raw_path = match["authority"], match["path"]
    user, _, host = authority.rpartition("@")
    path, fragment = unescape(raw_path), unescape(match["fragment"] or "")
    if path is None or fragment is None or not _HOST.fullmatch(host):
        return None
    if not _USER.fullmatch(user) or _BAD_ESCAPE.search(user):
        return None
    scheme = match["scheme"].lower()
    bare = f"{scheme}://{authority}{_NOT_IN_PATH.sub(_escaped, raw_path)}"
    return Address(scheme, host, path, match["query"] or "", fragment, bare)


def unescape(text: str, *, plus: bool = False) -> str | None:
    """Decode `%41` and the like, with `plus` also `+`, which is a space in a query.

    None if a `%` isn't followed by two hexadecimal digits.
    """
    if _BAD_ESCAPE.search(text):
        return None
    if plus:
        text = text.replace("+", " ")
    if "%" not in text:
        return text
    data = text.encode(errors="surrogateescape")
    return _ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), data).decode(errors="surrogateescape")


def query_pairs(query: str) -> list[tuple[str, str]]:
    """Return the `name=value` pairs of a query, in order. Pairs that can't be decoded or contain `;` are left out."""
    pairs = []
    for item in query.split("&"):
        name, _, value = item.partition("=")
        key, decoded = unescape(name, plus=True), unescape(value, plus=True)
        if item and ";" not in item and key is not None and decoded is not None:
            pairs.append((key, decoded))
    return pairs


def is_http(text: str) -> bool:
    return text.startswith(("http://", "https://"))


def download_name(url: str) -> str:
    """Return the name that ADD gives to the file at `url`: the last part of its path, decoded."""
    address = parse_address(url)
    if address is None:
        return UNNAMED
    name = posixpath.basename(address.path.rstrip("/"))
    return UNNAMED if name in ("", ".") else name.encode(errors="replace").decode()


def _escaped(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode(errors="surrogateescape"))
