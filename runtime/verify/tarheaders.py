"""Headers of tar archives: ustar and pax (POSIX.1-2017, pax, "ustar Interchange Format") and GNU's."""

from __future__ import annotations

import re

from pybuild.runtime.verify.findings import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

BLOCK = 512

FILE, LINK, SYMLINK, CHARACTER, DEVICE, DIRECTORY, FIFO, CONTIGUOUS = (
    b"0",
    b"1",
    b"2",
    b"3",
    b"4",
    b"5",
    b"6",
    b"7",
)
SPARSE = b"S"
PAX, PAX_GLOBAL, LONG_NAME, LONG_LINK = b"x", b"g", b"L", b"K"

EXTENSIONS = frozenset({PAX, PAX_GLOBAL, LONG_NAME, LONG_LINK})
"""Types of the headers that say something about the next one, or about all that follow."""
WITHOUT_CONTENT = frozenset({LINK, SYMLINK, CHARACTER, DEVICE, DIRECTORY, FIFO})
TYPES = WITHOUT_CONTENT | {FILE, CONTIGUOUS, SPARSE}

_USTAR, _GNU = b"ustar\x0000", b"ustar  \x00"
_OCTAL = re.compile(rb"[ \0]*([0-7]*)[ \0]*")
_NUMBERS = (("mode", 100, 108), ("uid", 108, 116), ("gid", 116, 124), ("size", 124, 136), ("mtime", 136, 148))
_DEVICE_NUMBERS = (("devmajor", 329, 337), ("devminor", 337, 345))
_LENGTH = re.compile(rb"([1-9][0-9]{0,9}) ")
_PAX_NUMBERS = {
    b"size": rb"[0-9]{1,19}",
    b"uid": rb"-?[0-9]{1,19}",
    b"gid": rb"-?[0-9]{1,19}",
    b"mtime": rb"-?[0-9]+(\.[0-9]*)?",
}


class Damaged(ValueError):
    """A tar archive can't be read further."""


class Header:
    """A header block. `unusual` are facts about its form that not all programs take alike."""

    __slots__ = ("link", "name", "size", "type", "unusual")

    def __init__(self, type: bytes, name: bytes, link: bytes, size: int, unusual: tuple[str, ...]) -> None:
        self.type = type
        self.name = name
        self.link = link
        self.size = size
        self.unusual = unusual


def parse_header(block: bytes) -> Header:
    """Return the header in a block of 512 bytes. Raises Damaged."""
    if not _checksum_holds(block):
        raise Damaged("the checksum of a header is wrong")
    unusual = []
    magic = block[257:265]
    if magic not in (_USTAR, _GNU):
        unusual.append("a header of the old form, without `ustar`")
    name, clean = _text(block[:100])
    link, clean_link = _text(block[157:257])
    if magic == _USTAR and block[345]:
        prefix, _ = _text(block[345:500])
        name = prefix + b"/" + name
    if not clean or not clean_link:
        unusual.append("a header with bytes behind the end of a name")
    numbers = {field: _number(block[start:end], field) for field, start, end in _NUMBERS}
    type = block[156:157]
    if type == b"\0":
        type = FILE
    if type in (CHARACTER, DEVICE):
        for field, start, end in _DEVICE_NUMBERS:
            _number(block[start:end], field)
    if type == FILE and name.endswith(b"/"):
        # Before ustar, directories were files with a slash at the end; Go reads them as directories still.
        type = DIRECTORY
    size = numbers["size"]
    if size < 0:
        raise Damaged(f"the size of {quoted(name)} is negative")
    if type in WITHOUT_CONTENT and size:
        unusual.append(f"a size for {quoted(name)}, which can have no content")
        size = 0
    return Header(type, name, link, size, tuple(unusual))


def pax_records(data: bytes) -> Mapping[bytes, bytes]:
    """Return the records of an extended header, each `LENGTH KEY=VALUE` and a line feed, LENGTH counting all of it.
    Raises Damaged."""
    records: dict[bytes, bytes] = {}
    at = 0
    while at < len(data):
        length = _LENGTH.match(data, at)
        end = at + int(length[1]) if length else 0
        if length is None or end > len(data) or end <= length.end() or data[end - 1] != 0x0A:
            raise Damaged(f"a pax record has no valid length: {quoted(data[at : at + 40])}")
        key, equals, value = data[length.end() : end - 1].partition(b"=")
        if not key or not equals:
            raise Damaged(f"a pax record has no key: {quoted(data[at : at + 40])}")
        pattern = _PAX_NUMBERS.get(key)
        if pattern and value and not re.fullmatch(pattern, value):
            raise Damaged(f"the pax record {quoted(key)} is no number: {quoted(value)}")
        if key in (b"path", b"linkpath") and b"\0" in value:
            raise Damaged(f"the pax record {quoted(key)} has a zero byte: {quoted(value)}")
        if key in records:
            raise Damaged(f"the pax record {quoted(key)} is there twice")
        records[key] = value
        at = end
    return records


def _checksum_holds(block: bytes) -> bool:
    """The sum of all bytes, those of the checksum itself taken for spaces."""
    stated = _OCTAL.fullmatch(block[148:156])
    if stated is None or not stated[1]:
        return False
    total = sum(block) - sum(block[148:156]) + 8 * 0x20
    if total == int(stated[1], 8):
        return True
    # Some old programs summed signed bytes.
    signed = (
        total - 256 * sum(byte > 127 for byte in block) + 256 * sum(byte > 127 for byte in block[148:156])
    )
    return signed == int(stated[1], 8)


def _text(field: bytes) -> tuple[bytes, bool]:
    """Return the bytes before the first zero, and whether only zeros follow it."""
    text, _, rest = field.partition(b"\0")
    return text, not rest.strip(b"\0")


def _number(field: bytes, name: str) -> int:
    if field[0] in (0x80, 0xFF):
        # GNU's base 256, for numbers that octal digits have no room for.
        return int.from_bytes(field[1:], "big", signed=field[0] == 0xFF)
    digits = _OCTAL.fullmatch(field)
    if digits is None:
        raise Damaged(f"the field {name} of a header is no number")
    return int(digits[1] or b"0", 8)
