"""Addresses as Go's `net/url` reads them, as far as sources need: what is at fault makes it no address.

Parts are decoded to text; bytes that aren't UTF-8 become surrogate escapes.
"""

from __future__ import annotations

import posixpath
import re

from attrs import frozen

UNNAMED = "__unnamed__"
"""What a downloaded file is called whose address ends without a name."""

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
    """`scheme` is in lower case, `host` holds the port but no user, `path` is decoded and `query` as written.
    `bare` is the address without query and fragment, its path encoded."""

    scheme: str
    host: str
    path: str
    query: str
    fragment: str
    bare: str


def parse_address(text: str) -> Address | None:
    """`scheme://[user@]host[/path][?query][#fragment]`; None for anything else."""
    found = _ADDRESS.fullmatch(text)
    if found is None or _CONTROL.search(text):
        return None
    authority, raw_path = found["authority"], found["path"]
    user, _, host = authority.rpartition("@")
    path, fragment = unescape(raw_path), unescape(found["fragment"] or "")
    if path is None or fragment is None or not _HOST.fullmatch(host):
        return None
    if not _USER.fullmatch(user) or _BAD_ESCAPE.search(user):
        return None
    scheme = found["scheme"].lower()
    bare = f"{scheme}://{authority}{_NOT_IN_PATH.sub(_escaped, raw_path)}"
    return Address(scheme, host, path, found["query"] or "", fragment, bare)


def unescape(text: str, *, plus: bool = False) -> str | None:
    """Text with `%41` and the like decoded, and with `plus` also `+`, which is a blank in a query. None when a
    `%` has no two digits behind it."""
    if _BAD_ESCAPE.search(text):
        return None
    if plus:
        text = text.replace("+", " ")
    if "%" not in text:
        return text
    data = text.encode(errors="surrogateescape")
    return _ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), data).decode(errors="surrogateescape")


def query_pairs(query: str) -> list[tuple[str, str]]:
    """The `name=value` pairs of a query, in order; what can't be decoded or holds a `;` is left out."""
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
    """What ADD calls the file at `url`: the last part of its path, decoded."""
    address = parse_address(url)
    if address is None:
        return UNNAMED
    name = posixpath.basename(address.path.rstrip("/"))
    return UNNAMED if name in ("", ".") else name.encode(errors="replace").decode()


def _escaped(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode(errors="surrogateescape"))
