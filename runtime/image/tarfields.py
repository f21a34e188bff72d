"""The fields of tar headers and the records of PAX extended headers, read from their bytes.

Everything here raises FieldError with words that continue "the archive …".
"""

from __future__ import annotations

from zlib import adler32

XATTR = b"SCHILY.xattr."

APPLIED = frozenset(
    b"path linkpath size uid gid mtime SCHILY.devmajor SCHILY.devminor GNU.sparse.major GNU.sparse.minor "
    b"GNU.sparse.name GNU.sparse.size GNU.sparse.realsize GNU.sparse.map GNU.sparse.offset "
    b"GNU.sparse.numbytes".split()
)
"""Keys of extended headers that are applied, besides those of extended attributes."""
MAX_GLOBALS = 64 << 10
"""Most bytes of what global headers say together: each entry is given all of it."""
MAX_SIZE = (1 << 63) - 1

Pairs = list[tuple[bytes, bytes]]


class FieldError(ValueError):
    """A field that can't be read: `str(error)` continues "the archive"."""


def number(field: bytes) -> int:
    """Decode a numeric field: octal text, or base 256 when the first bit is set (two's complement)."""
    first = field[0]
    if first & 0x80:
        value = int.from_bytes(field, "big") & ((1 << (len(field) * 8 - 1)) - 1)
        return value - (1 << (len(field) * 8 - 1)) if first & 0x40 else value
    text = field.split(b"\0", 1)[0].strip()
    if not text:
        return 0
    if text.strip(b"01234567"):
        raise FieldError(f"has a damaged header: {field!r} is no number")
    return int(text, 8)


def decimal(text: bytes) -> int:
    """Decode a number of an extended header."""
    digits = text[1:] if text[:1] == b"-" else text
    if not digits.isdigit() or len(digits) > 24:
        raise FieldError(f"has a number {text[:40]!r} in an extended header")
    return int(text)


def time(text: bytes) -> int:
    """Decode a time of an extended header, seconds with a fraction, in nanoseconds."""
    whole, _, fraction = text.partition(b".")
    if fraction and not fraction.isdigit():
        raise FieldError(f"has a time {text[:40]!r} in an extended header")
    seconds = decimal(whole or b"0")
    part = int(fraction[:9].ljust(9, b"0")) if fraction else 0
    return seconds * 1_000_000_000 + (-part if text.startswith(b"-") else part)


def pairs(data: bytes) -> Pairs:
    """Return the records of an extended header that are applied, in order: `LENGTH KEY=VALUE\\n`, LENGTH
    counting all of it."""
    out = []
    at = 0
    while at < len(data):
        space = data.find(b" ", at, at + 20)
        digits = data[at:space] if space > 0 else b""
        if not digits.isdigit():
            if not data[at:].strip(b"\0"):
                break
            raise FieldError("has a damaged extended header")
        end = at + int(digits)
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        if not equals or end > len(data) or data[end - 1 : end] != b"\n":
            raise FieldError("has a damaged extended header")
        if key in APPLIED or key.startswith(XATTR):
            out.append((key, value))
        at = end
    return out


def merged_globals(base: dict[bytes, bytes], records: Pairs) -> dict[bytes, bytes]:
    """Return what `base` and a later global header say together."""
    out = merged(base, records)
    size = sum(len(key) + len(value) for key, value in out.items())
    if size > MAX_GLOBALS:
        raise FieldError(f"has global headers of {size} bytes (at most {MAX_GLOBALS} are kept)")
    return out


def merged(base: dict[bytes, bytes], records: Pairs) -> dict[bytes, bytes]:
    """Return `base` with the records of a later extended header. An empty value removes a key, except that an
    extended attribute may be empty."""
    out = {**base, **dict(records)}
    return {key: value for key, value in out.items() if value or key.startswith(XATTR)}


def check_sum(block: bytes) -> None:
    """Check a block's checksum: the sum of its bytes, its own field counted as spaces; some writers sum
    signed bytes. Half a block sums up to at most 65,280, so Adler-32's low half (plus one) holds its sum."""
    total = (adler32(block[:256]) & 0xFFFF) + (adler32(block[256:]) & 0xFFFF) - 2
    total += 256 - sum(block[148:156])
    text = block[148:156].split(b"\0", 1)[0].strip()
    wanted = -1 if not text or text.strip(b"01234567") else int(text, 8)
    if wanted == total:
        return
    signed = sum(byte - 256 if byte > 127 else byte for byte in block[:148] + block[156:]) + 256
    if wanted != signed:
        raise FieldError("is no tar archive, or damaged: a header's checksum is wrong")
