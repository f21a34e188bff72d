"""Answers of servers, parsed: addresses, numbers, times and JSON of headers and bodies.

Everything here takes any text. What can't be parsed is a ValueError whose words continue "HOST answered with", or
None where the value is of no consequence.
"""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from pybuild.runtime.image.manifest import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_SHOWN = 200
_DIGITS = 18
_PRINTED = "".join(map(chr, range(0x21, 0x7F)))


class Address:
    """An HTTP address: `host` is `HOST[:PORT]` without a login."""

    __slots__ = ("host", "netloc", "path", "query", "scheme", "url")

    def __init__(self, url: str) -> None:
        """Raises ValueError for anything but an HTTP address."""
        shown = clipped(url)
        if any(char <= " " or 0x7F <= ord(char) < 0xA0 for char in url):
            raise ValueError(f"an address with characters that none has: {shown}")
        try:
            parts = urlsplit(url)
            port = parts.port
            name = parts.hostname
        except ValueError as error:
            raise ValueError(f"an address that can't be read ({error}): {shown}") from None
        if parts.scheme not in ("http", "https") or not name or port == 0:
            raise ValueError(f"an address that is none of HTTP: {shown or '(empty)'}")
        if name.strip(".") == "" or any(char in name for char in "/\\") or ("%" in name and ":" not in name):
            raise ValueError(f"an address without a host: {shown}")
        self.url = url
        self.scheme = parts.scheme
        self.netloc = parts.netloc
        self.host = parts.netloc.rpartition("@")[2]
        self.path = parts.path
        self.query = parts.query


def clipped(text: str) -> str:
    """Return the beginning of a text from elsewhere, for a message: without the query of an address, which may hold a
    login."""
    from pybuild.runtime.registry.errors import shown_url

    shown = shown_url(text)
    return shown if len(shown) <= LONGEST_SHOWN else shown[:LONGEST_SHOWN] + "…"


def joined(base: str, location: str) -> Address:
    """Return the address of a Location header in an answer from `base`. Raises ValueError."""
    try:
        # http.client reads headers as Latin-1; servers write UTF-8 into them.
        location = location.encode("latin-1").decode()
    except UnicodeError:
        pass
    try:
        url = urljoin(base, quoted(location.strip()))
    except ValueError as error:
        raise ValueError(f"an address that can't be read ({error}): {clipped(location)}") from None
    return Address(url)


def quoted(url: str) -> str:
    """Return an address with what may not stand in a request quoted: spaces and everything beyond ASCII. The host,
    which may be an international name, stays."""
    from urllib.parse import quote

    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "", url
    end = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest)) if separator else 0
    return scheme + separator + rest[:end] + quote(rest[end:], safe=_PRINTED)


def natural(text: str | None) -> int | None:
    """Return a natural number, None for anything else and for one that no size has."""
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else None


def length(headers: Mapping[str, str]) -> int | None:
    """Return the Content-Length."""
    return natural(headers.get("Content-Length"))


def first_of_range(headers: Mapping[str, str]) -> int | None:
    """Return the first byte of a Content-Range: `bytes FIRST-LAST/TOTAL`."""
    unit, _, rest = headers.get("Content-Range", "").strip().partition(" ")
    return natural(rest.partition("-")[0]) if unit.lower() == "bytes" else None


def end_of_range(headers: Mapping[str, str]) -> int:
    """Return how many bytes a Range header of an upload says have come: `0-LAST`, with `0-0` for none."""
    last = natural(headers.get("Range", "").strip().removeprefix("bytes=").rpartition("-")[2])
    return last + 1 if last else 0


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a Retry-After header (a number or a date)."""
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    if value.isascii() and value.isdigit():
        return float(value[:_DIGITS])
    from email.utils import parsedate_to_datetime
    from time import time

    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None


def json_object(body: bytes) -> dict[str, object]:
    """Return the JSON object in a body. Raises ValueError."""
    try:
        return decode(body)
    except ValueError as error:
        raise ValueError(f"a body that can't be used: {error}") from None


def text_of(value: Mapping[str, object], *names: str) -> str:
    """Return the first of some members that is a text; "" if none is."""
    return next((text for name in names if isinstance(text := value.get(name), str) and text), "")


def seconds_of(value: Mapping[str, object], name: str) -> float:
    """Return a member that is a number of seconds of at most a day; 0 for anything else."""
    number = value.get(name)
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 < number < 1 << 40:
        return 0.0
    return min(float(number), 86_400.0)
