"""Tar reader: the entries of a v7, ustar, PAX or GNU archive, in order, without seeking.

Forms: PAX extended and global headers, GNU long names and links, GNU sparse files (old headers, and PAX 0.0,
0.1, 1.0), base-256 numbers, extended attributes as `SCHILY.xattr.*`. See POSIX pax(1) and the GNU tar manual,
"Tar Internals".
"""

from __future__ import annotations

import os
from zlib import adler32

from pybuild.runtime.image.decompression import ArchiveError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybuild.runtime.image.decompression import Pull, Readable

BLOCK = 512
MAX_EXTENDED = 8 << 20
"""Most bytes of one extended header."""
MAX_SPARSE = 1 << 20
"""Most segments of one sparse file."""

FILE, LINK, SYMLINK, CHARACTER, DEVICE, DIRECTORY, FIFO = b"0", b"1", b"2", b"3", b"4", b"5", b"6"

_ZERO = bytes(BLOCK)
_REGULAR = frozenset({b"0", b"\0", b"7", b"S"})
_WITHOUT_DATA = frozenset({LINK, SYMLINK, CHARACTER, DEVICE, DIRECTORY, FIFO})
_XATTR = b"SCHILY.xattr."
_MAX_TIME = (1 << 53) * 1_000_000_000

_ENDS = bytes(5)
"""What most writers end the five numeric fields from the mode on with."""


class Entry:
    """One member. `kind` is a type flag of ustar, `name` and `link` as in the archive; `mtime` nanoseconds.

    `size` counts the bytes in the archive; `sparse` is None, or the (offset, length) segments of a file of
    `real_size` bytes that those bytes fill.
    """

    __slots__ = (
        "attributes",
        "device",
        "gid",
        "kind",
        "link",
        "mode",
        "mtime",
        "name",
        "real_size",
        "size",
        "sparse",
        "uid",
    )

    def __init__(self, kind: bytes, name: bytes) -> None:
        self.kind = kind
        self.name = name
        self.link = b""
        self.mode = self.uid = self.gid = self.size = self.real_size = self.mtime = 0
        self.device = (0, 0)
        self.attributes: dict[bytes, bytes] | None = None
        self.sparse: list[tuple[int, int]] | None = None

    def __repr__(self) -> str:
        return f"Entry({self.kind!r}, {self.name!r}, {self.size})"


class TarReader:
    """Iterates over the entries of an archive that comes from a pull.

    Between two entries the data of the first may be taken with `piece`; what is left of it is skipped.
    `archive` names the archive in errors, all of which are ArchiveError.
    """

    __slots__ = ("_at", "_buffer", "_globals", "_left", "_padding", "_pull", "archive", "offset")

    def __init__(self, pull: Pull, archive: str = "archive") -> None:
        self._pull = pull
        self._buffer = b""
        self._at = 0
        self._left = 0
        self._padding = 0
        self._globals: dict[bytes, bytes] = {}
        self.archive = archive
        self.offset = 0
        """Bytes of the archive before the buffer."""

    def __iter__(self) -> Iterator[Entry]:
        while True:
            block = self._header()
            if block is None:
                return
            entry = self._entry(block)
            if entry is None:
                return
            if entry.kind in (b"V", b"N"):  # a volume's label, old GNU names
                continue
            yield entry

    def piece(self, most: int = 1 << 20) -> bytes | memoryview:
        """The next bytes of the current entry's data, at most `most`; empty at its end."""
        if not self._left:
            return b""
        if self._at >= len(self._buffer):
            self._refill()
            if not self._buffer:
                raise self._cut()
        size = min(most, self._left, len(self._buffer) - self._at)
        view = memoryview(self._buffer)[self._at : self._at + size]
        self._at += size
        self._left -= size
        return view

    def drain(self) -> None:
        """Read to the end of the stream, past the archive's own end."""
        self._buffer, self._at = b"", 0
        while self._pull():
            pass

    # Blocks.

    def _refill(self) -> None:
        self.offset += len(self._buffer)
        self._buffer, self._at = self._pull(), 0

    def _take(self, size: int) -> bytes:
        """Exactly `size` bytes, fewer only at the end of the stream."""
        end = self._at + size
        if end <= len(self._buffer):
            data = self._buffer[self._at : end]
            self._at = end
            return data
        parts = []
        while size:
            if self._at >= len(self._buffer):
                self._refill()
                if not self._buffer:
                    break
            part = self._buffer[self._at : self._at + size]
            self._at += len(part)
            size -= len(part)
            parts.append(part)
        return b"".join(parts)

    def _header(self) -> bytes | None:
        """The next header block, after what is left of the entry before; None at the end of the archive."""
        skip = self._left + self._padding
        while skip:
            step = min(skip, len(self._buffer) - self._at)
            self._at += step
            skip -= step
            if skip:
                self._refill()
                if not self._buffer:
                    raise self._cut()
        self._left = self._padding = 0
        block = self._take(BLOCK)
        if not block:
            return None
        if len(block) < BLOCK:
            raise self._cut()
        if block == _ZERO:
            second = self._take(BLOCK)
            if second and second.strip(b"\0"):
                raise self._error("has entries after an end mark")
            return None
        _check_sum(self, block)
        return block

    def _data(self, size: int, what: str) -> bytes:
        """The whole data of an extended header, padding skipped."""
        if not 0 <= size <= MAX_EXTENDED:
            raise self._error(f"has {what} of {size} bytes (at most {MAX_EXTENDED} are read)")
        data = self._take(size)
        padding = -size % BLOCK
        if len(data) < size or len(self._take(padding)) < padding:
            raise self._cut()
        return data

    # Entries.

    def _entry(self, block: bytes) -> Entry | None:
        """The entry that starts with `block`, extended headers before it read; None at the end."""
        records: dict[bytes, bytes] | None = None
        name = link = None
        pairs: list[tuple[bytes, bytes]] = []
        while (kind := block[156:157]) in (b"x", b"g", b"L", b"K", b"X"):
            data = self._data(self._number(block[124:136]), "an extended header")
            if kind == b"L":
                name = data.split(b"\0", 1)[0]
            elif kind == b"K":
                link = data.split(b"\0", 1)[0]
            else:
                pairs = self._pairs(data)
                if kind == b"g":
                    self._globals = _merged(self._globals, pairs)
                    pairs = []
                else:
                    records = dict(pairs)
            following = self._header()
            if following is None:
                if kind == b"g":
                    return None
                raise self._cut()
            block = following
        entry = self._plain(block)
        if name is not None:
            entry.name = name
        if link is not None:
            entry.link = link
        if records or self._globals:
            merged = _merged(self._globals, pairs) if self._globals else records
            assert merged is not None
            self._apply(entry, merged, pairs)
        if kind == b"S":
            self._old_sparse(entry, block)
        self._finish(entry, kind)
        return entry

    def _plain(self, block: bytes) -> Entry:
        """What the header block alone says."""
        name = block[:100].split(b"\0", 1)[0]
        magic = block[257:263]
        if magic == b"ustar\0" and block[345]:
            size = 131 if block[508:512] == b"tar\0" else 155
            name = block[345 : 345 + size].split(b"\0", 1)[0] + b"/" + name
        kind = block[156:157]
        entry = Entry(kind, name)
        number = self._number
        fields = block[100:148]
        if fields.translate(None, b"01234567") == _ENDS and not (
            fields[7] | fields[15] | fields[23] | fields[35] | fields[47]
        ):
            entry.mode = int(fields[:7], 8)
            entry.uid = int(fields[8:15], 8)
            entry.gid = int(fields[16:23], 8)
            entry.size = int(fields[24:35], 8)
            entry.mtime = int(fields[36:47], 8) * 1_000_000_000
        else:
            entry.mode = number(fields[:8])
            entry.uid = number(fields[8:16])
            entry.gid = number(fields[16:24])
            entry.size = number(fields[24:36])
            entry.mtime = number(fields[36:]) * 1_000_000_000
        if block[157]:
            entry.link = block[157:257].split(b"\0", 1)[0]
        if kind in (CHARACTER, DEVICE):
            entry.device = (number(block[329:337]), number(block[337:345]))
        return entry

    def _finish(self, entry: Entry, kind: bytes) -> None:
        """Check what the headers came to and make the entry's data the next that is read."""
        if kind in _REGULAR:
            directory = kind == b"\0" and entry.name.endswith(b"/")
            entry.kind = DIRECTORY if directory else FILE
        elif kind == b"D":
            entry.kind = DIRECTORY
        elif kind not in _WITHOUT_DATA and kind not in (b"V", b"N"):
            raise self._error(f"has an entry of unknown type {kind!r}", entry)
        if entry.size < 0:
            raise self._error(f"has an entry of {entry.size} bytes", entry)
        if not -_MAX_TIME <= entry.mtime <= _MAX_TIME:
            entry.mtime = 0
        if kind in _WITHOUT_DATA:
            entry.size = 0
        self._left = entry.size
        self._padding = -entry.size % BLOCK
        if entry.sparse is not None and not entry.sparse and entry.real_size < 0:
            entry.sparse = self._sparse_map(entry)
        if entry.sparse is None:
            entry.real_size = entry.size
        else:
            self._check_sparse(entry)
        if kind == b"D":
            entry.size = 0

    def _pairs(self, data: bytes) -> list[tuple[bytes, bytes]]:
        """The records of an extended header in order."""
        pairs = []
        at = 0
        while at < len(data):
            space = data.find(b" ", at, at + 20)
            digits = data[at:space] if space > 0 else b""
            if not digits.isdigit() or data[at] == 0:
                if not data[at:].strip(b"\0"):
                    break
                raise self._error("has a damaged extended header")
            end = at + int(digits)
            key, equals, value = data[space + 1 : end - 1].partition(b"=")
            if not equals or end > len(data) or end <= space or data[end - 1 : end] != b"\n":
                raise self._error("has a damaged extended header")
            pairs.append((key, value))
            at = end
        return pairs

    def _apply(self, entry: Entry, records: dict[bytes, bytes], pairs: list[tuple[bytes, bytes]]) -> None:
        for key, value in records.items():
            if key == b"path":
                entry.name = value
            elif key == b"linkpath":
                entry.link = value
            elif key == b"size":
                entry.size = self._decimal(value, entry)
            elif key == b"uid":
                entry.uid = self._decimal(value, entry)
            elif key == b"gid":
                entry.gid = self._decimal(value, entry)
            elif key == b"mtime":
                entry.mtime = self._time(value, entry)
            elif key.startswith(_XATTR):
                if entry.attributes is None:
                    entry.attributes = {}
                entry.attributes[key[len(_XATTR) :]] = value
            elif key == b"SCHILY.devmajor":
                entry.device = (self._decimal(value, entry), entry.device[1])
            elif key == b"SCHILY.devminor":
                entry.device = (entry.device[0], self._decimal(value, entry))
        if any(key.startswith(b"GNU.sparse.") for key in records):
            self._pax_sparse(entry, records, pairs)

    # Sparse files.

    def _pax_sparse(
        self, entry: Entry, records: dict[bytes, bytes], pairs: list[tuple[bytes, bytes]]
    ) -> None:
        """GNU's PAX forms: 0.0 has one record an offset and a length, 0.1 a map in a record, 1.0 a map at the
        start of the data (marked by `real_size` -1 until it is read)."""
        if (name := records.get(b"GNU.sparse.name")) is not None:
            entry.name = name
        size = records.get(b"GNU.sparse.realsize", records.get(b"GNU.sparse.size"))
        if size is None:
            return
        entry.real_size = self._decimal(size, entry)
        if (records.get(b"GNU.sparse.major"), records.get(b"GNU.sparse.minor")) == (b"1", b"0"):
            entry.sparse = []
            entry.device = (entry.real_size, 0)
            entry.real_size = -1
            return
        if (text := records.get(b"GNU.sparse.map")) is not None:
            numbers = [self._decimal(part, entry) for part in text.split(b",") if part]
        else:
            keys = (b"GNU.sparse.offset", b"GNU.sparse.numbytes")
            numbers = [self._decimal(value, entry) for key, value in pairs if key in keys]
        if len(numbers) % 2:
            raise self._error("has a sparse map of an odd length", entry)
        entry.sparse = list(zip(numbers[::2], numbers[1::2], strict=True))

    def _sparse_map(self, entry: Entry) -> list[tuple[int, int]]:
        """The map before the data of a 1.0 sparse file: a count, then offsets and lengths, a number a
        line."""
        entry.real_size, entry.device = entry.device[0], (0, 0)
        lines: list[bytes] = []
        rest = b""
        wanted = 1
        while len(lines) < wanted:
            block = self._take(min(BLOCK, self._left))
            self._left -= len(block)
            if len(block) < BLOCK:
                raise self._error("has a sparse file without its map", entry)
            *whole, rest = (rest + block).split(b"\n")
            lines += whole
            if wanted == 1 and lines:
                count = self._decimal(lines[0], entry)
                if not 0 <= count <= MAX_SPARSE:
                    raise self._error(f"has a sparse map of {count} segments", entry)
                wanted = 1 + 2 * count
        numbers = [self._decimal(line, entry) for line in lines[1:wanted]]
        entry.size = self._left
        return list(zip(numbers[::2], numbers[1::2], strict=True))

    def _old_sparse(self, entry: Entry, block: bytes) -> None:
        """The map in an old GNU header: four segments, then blocks of 21 while a flag says so."""
        segments: list[tuple[int, int]] = []
        table, more = block[386:482], block[482]
        entry.real_size = self._number(block[483:495])
        while True:
            for at in range(0, len(table), 24):
                if table[at] == 0:
                    break
                segments.append((self._number(table[at : at + 12]), self._number(table[at + 12 : at + 24])))
            if not more:
                break
            following = self._take(BLOCK)
            if len(following) < BLOCK:
                raise self._cut()
            if len(segments) > MAX_SPARSE:
                raise self._error("has a sparse map that does not end", entry)
            table, more = following[:504], following[504]
        entry.sparse = segments

    def _check_sparse(self, entry: Entry) -> None:
        assert entry.sparse is not None
        end = total = 0
        for offset, length in entry.sparse:
            if offset < end or length < 0:
                raise self._error("has a sparse map that is not in order", entry)
            end = offset + length
            total += length
        if end > entry.real_size or total != entry.size:
            raise self._error("has a sparse map that does not fit its file", entry)

    # Numbers and errors.

    def _number(self, field: bytes) -> int:
        """A numeric field: octal text, or base 256 when the first bit is set (two's complement)."""
        first = field[0]
        if first & 0x80:
            value = int.from_bytes(field, "big") & ((1 << (len(field) * 8 - 1)) - 1)
            return value - (1 << (len(field) * 8 - 1)) if first & 0x40 else value
        text = field.split(b"\0", 1)[0].strip()
        if not text:
            return 0
        if text.strip(b"01234567"):
            raise self._error(f"has a damaged header: {field!r} is no number")
        return int(text, 8)

    def _decimal(self, text: bytes, entry: Entry) -> int:
        digits = text[1:] if text[:1] == b"-" else text
        if not digits.isdigit() or len(digits) > 24:
            raise self._error(f"has a number {text[:40]!r} in an extended header", entry)
        return int(text)

    def _time(self, text: bytes, entry: Entry) -> int:
        """Seconds with a fraction, in nanoseconds."""
        whole, _, fraction = text.partition(b".")
        if fraction and not fraction.isdigit():
            raise self._error(f"has a time {text[:40]!r} in an extended header", entry)
        seconds = self._decimal(whole or b"0", entry)
        part = int(fraction[:9].ljust(9, b"0")) if fraction else 0
        return seconds * 1_000_000_000 + (-part if text.startswith(b"-") else part)

    def _error(self, what: str, entry: Entry | None = None) -> ArchiveError:
        where = f": entry {os.fsdecode(entry.name)!r}" if entry is not None else ""
        return ArchiveError(
            f"{self.archive} {what}{where}", help="it is damaged or no tar archive; make it anew"
        )

    def _cut(self) -> ArchiveError:
        return ArchiveError(f"{self.archive} is cut short", help="transfer it again, or make it anew")


def is_archive(source: int | Readable) -> bool:
    """Whether a file is a tar archive, compressed or not, that has an entry; reads a little of it from where
    it stands."""
    from pybuild.runtime.image.decompression import pull_decompressed

    try:
        return next(iter(TarReader(pull_decompressed(source))), None) is not None
    except ArchiveError:
        return False


def _check_sum(reader: TarReader, block: bytes) -> None:
    """A block's checksum is the sum of its bytes, its own field counted as spaces; some writers take the
    bytes as signed. Half a block is at most 65,280, so Adler-32's low half (plus one) holds its sum."""
    total = (adler32(block[:256]) & 0xFFFF) + (adler32(block[256:]) & 0xFFFF) - 2
    total += 256 - sum(block[148:156])
    try:
        wanted = int(block[148:156].split(b"\0", 1)[0].strip() or b"-1", 8)
    except ValueError:
        wanted = -1
    if wanted == total:
        return
    signed = sum(byte - 256 if byte > 127 else byte for byte in block[:148] + block[156:]) + 256
    if wanted != signed:
        raise ArchiveError(
            f"{reader.archive} is no tar archive, or damaged: a header's checksum is wrong",
            help="transfer it again, or make it anew",
        )


def _merged(base: dict[bytes, bytes], pairs: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """`base` with the records of an extended header; an empty value takes one away."""
    merged = {**base, **dict(pairs)}
    return {key: value for key, value in merged.items() if value or key.startswith(_XATTR)}
