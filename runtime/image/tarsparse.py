"""Maps of GNU sparse files: which (offset, length) segments of a file its data in the archive fills.

Old GNU headers have the map in the header and in blocks after it. PAX form 0.0 has a record for each offset
and each length, 0.1 one record with all of them, 1.0 text before the data. (GNU tar manual, "Storing Sparse
Files".)
"""

from __future__ import annotations

from pybuild.runtime.image.tarfields import MAX_SIZE, FieldError, Pairs, decimal, number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Segments = list[tuple[int, int]]
    Take = Callable[[int], bytes]

BLOCK = 512
MAX_SEGMENTS = 1 << 16
"""Most segments of one file: more than the maps that fit into a PAX header have."""


def real_size(records: dict[bytes, bytes]) -> int | None:
    """Return the size of the file that the records describe; None when it is not sparse."""
    size = records.get(b"GNU.sparse.realsize", records.get(b"GNU.sparse.size"))
    return None if size is None else decimal(size)


def map_in_data(records: dict[bytes, bytes]) -> bool:
    """Return whether the map stands before the data (form 1.0)."""
    return (records.get(b"GNU.sparse.major"), records.get(b"GNU.sparse.minor")) == (b"1", b"0")


def record_map(records: dict[bytes, bytes], pairs: Pairs) -> Segments:
    """Return the map in the records of forms 0.0 and 0.1."""
    if (text := records.get(b"GNU.sparse.map")) is not None:
        numbers = [decimal(part) for part in text.split(b",") if part]
    else:
        keys = (b"GNU.sparse.offset", b"GNU.sparse.numbytes")
        numbers = [decimal(value) for key, value in pairs if key in keys]
    if len(numbers) % 2:
        raise FieldError("has a sparse map of an odd length")
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def data_map(take: Take) -> Segments:
    """Read the map at the start of the data: a count, then offsets and lengths, a number a line, in whole
    blocks. `take` returns the next bytes of the data."""
    lines: list[bytes] = []
    rest = b""
    wanted = 1
    while len(lines) < wanted:
        block = take(BLOCK)
        if len(block) < BLOCK:
            raise FieldError("has a sparse file without its map")
        *whole, rest = (rest + block).split(b"\n")
        if not whole and len(rest) > BLOCK:
            raise FieldError("has a sparse map that is no text")
        lines += whole
        if wanted == 1 and lines:
            count = decimal(lines[0])
            if not 0 <= count <= MAX_SEGMENTS:
                raise FieldError(f"has a sparse map of {count} segments")
            wanted = 1 + 2 * count
    numbers = [decimal(line) for line in lines[1:wanted]]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def header_map(block: bytes, take: Take) -> tuple[Segments, int]:
    """Return the map of an old GNU header, and the file's size: four segments, then blocks of 21 while a flag
    says so. `take` returns the next bytes of the archive."""
    segments: Segments = []
    table, more = block[386:482], block[482]
    size = number(block[483:495])
    while True:
        for at in range(0, len(table), 24):
            if table[at] == 0:
                break
            segments.append((number(table[at : at + 12]), number(table[at + 12 : at + 24])))
        if not more:
            return segments, size
        if len(segments) > MAX_SEGMENTS:
            raise FieldError("has a sparse map that does not end")
        following = take(BLOCK)
        if len(following) < BLOCK:
            raise FieldError("is cut short")
        table, more = following[:504], following[504]


def check(segments: Segments, size: int, data: int) -> None:
    """Check that `segments` are in order, lie in a file of `size` bytes and take `data` bytes."""
    if size > MAX_SIZE:
        raise FieldError(f"has a sparse file of {size} bytes")
    end = total = 0
    for offset, length in segments:
        if offset < end or length < 0:
            raise FieldError("has a sparse map that is not in order")
        end = offset + length
        total += length
    if end > size or total != data:
        raise FieldError("has a sparse map that does not fit its file")
