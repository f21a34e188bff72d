"""Tar reader: the entries of a v7, ustar, PAX or GNU archive, in order, without seeking.

Forms: PAX extended and global headers, GNU long names and links, GNU sparse files (old headers, and PAX 0.0,
0.1, 1.0), base-256 numbers, extended attributes as `SCHILY.xattr.*`. See POSIX pax(1) and the GNU tar manual,
"Tar Internals".
"""

from __future__ import annotations

import os

from pybuild.runtime.image import tarsparse
from pybuild.runtime.image.decompression import ArchiveError
from pybuild.runtime.image.tarfields import (
    MAX_SIZE,
    XATTR,
    FieldError,
    Pairs,
    check_sum,
    decimal,
    merged,
    merged_globals,
    number,
    pairs,
    time,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybuild.runtime.image.decompression import Pull, Readable

BLOCK = 512
MAX_EXTENDED = 1 << 20
"""Most bytes of one extended header, as in Go's archive/tar."""
FILE, LINK, SYMLINK, CHARACTER, DEVICE, DIRECTORY, FIFO = b"0", b"1", b"2", b"3", b"4", b"5", b"6"

_ZERO = bytes(BLOCK)
_REGULAR = frozenset({b"0", b"\0", b"7", b"S"})
_EXTENDED = frozenset({b"x", b"g", b"L", b"K", b"X"})
_SKIPPED = frozenset({b"V", b"N"})  # a volume's label, old GNU names
_WITHOUT_DATA = frozenset({LINK, SYMLINK, CHARACTER, DEVICE, DIRECTORY, FIFO})
_MAX_TIME = (1 << 53) * 1_000_000_000

_ENDS = bytes(5)
"""Terminators of the five numeric fields from the mode on, as most writers have them."""


class Entry:
    """A member of an archive. `kind` is a type flag of ustar, `name` and `link` are as in the archive,
    `mtime` is in nanoseconds. `size` counts the bytes in the archive; `sparse` is None, or the (offset,
    length) segments of a file of `real_size` bytes that those bytes fill."""

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
    """An iterator over the entries of an archive that comes from a pull. Between two entries the data of the
    first can be read with `piece`; the rest of it is skipped. `archive` names the archive in errors, all of
    which are ArchiveError."""

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

    @property
    def position(self) -> int:
        """The offset in the archive of what is read next: of an entry's data, when it has just been yielded."""
        return self.offset + self._at

    def __iter__(self) -> Iterator[Entry]:
        while True:
            block = self._header()
            if block is None:
                return
            entry = self._entry(block)
            if entry is None:
                return
            if entry.kind not in _SKIPPED:
                yield entry

    def piece(self, most: int = 1 << 20) -> bytes | memoryview:
        """Return the next bytes of the current entry's data, at most `most`; none at its end."""
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
        """Return exactly `size` bytes, fewer only at the end of the stream."""
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
        """Return the next header block, after skipping the rest of the entry before; None at the end of the
        archive."""
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
        try:
            check_sum(block)
        except FieldError as error:
            raise self._error(str(error)) from None
        return block

    def _data(self, size: int, what: str) -> bytes:
        """Return the whole data of an extended header; its padding is skipped."""
        if not 0 <= size <= MAX_EXTENDED:
            raise self._error(f"has {what} of {size} bytes (at most {MAX_EXTENDED} are read)")
        data = self._take(size)
        padding = -size % BLOCK
        if len(data) < size or len(self._take(padding)) < padding:
            raise self._cut()
        return data

    # Entries.

    def _entry(self, block: bytes) -> Entry | None:
        """Return the entry that starts with `block`, after reading extended headers before it; None at the
        end."""
        own: Pairs = []
        name = link = None
        entry = None
        try:
            while (kind := block[156:157]) in _EXTENDED:
                data = self._data(number(block[124:136]), "an extended header")
                if kind == b"L":
                    name = data.split(b"\0", 1)[0]
                elif kind == b"K":
                    link = data.split(b"\0", 1)[0]
                elif kind == b"g":
                    self._globals = merged_globals(self._globals, pairs(data))
                else:
                    own = pairs(data)
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
            self._finish(entry, block, merged(self._globals, own) if own or self._globals else None, own)
        except FieldError as error:
            raise self._error(str(error), entry) from None
        return entry

    def _plain(self, block: bytes) -> Entry:
        """Return the entry as the header block alone describes it."""
        name = block[:100].split(b"\0", 1)[0]
        magic = block[257:263]
        if magic == b"ustar\0" and block[345]:
            size = 131 if block[508:512] == b"tar\0" else 155
            name = block[345 : 345 + size].split(b"\0", 1)[0] + b"/" + name
        kind = block[156:157]
        entry = Entry(kind, name)
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

    def _finish(self, entry: Entry, block: bytes, records: dict[bytes, bytes] | None, own: Pairs) -> None:
        """Apply the extended header, check what the headers came to and make the entry's data the next
        read."""
        kind = block[156:157]
        if records is not None:
            _apply(entry, records)
        if kind in _REGULAR:
            entry.kind = DIRECTORY if kind == b"\0" and entry.name.endswith(b"/") else FILE
        elif kind == b"D":
            entry.kind = DIRECTORY
        elif kind not in _WITHOUT_DATA and kind not in _SKIPPED:
            raise FieldError(f"has an entry of unknown type {kind!r}")
        if not 0 <= entry.size <= MAX_SIZE:
            raise FieldError(f"has an entry of {entry.size} bytes")
        if not -_MAX_TIME <= entry.mtime <= _MAX_TIME:
            entry.mtime = 0
        if kind in _WITHOUT_DATA:
            entry.size = 0
        size = entry.size
        if kind == b"S":
            entry.sparse, entry.real_size = tarsparse.header_map(block, self._take)
        self._left = size
        self._padding = -size % BLOCK
        if records is not None and entry.kind == FILE:
            self._pax_sparse(entry, records, own)
        if entry.sparse is None:
            entry.real_size = size
        else:
            tarsparse.check(entry.sparse, entry.real_size, entry.size)
        if kind == b"D":
            entry.size = entry.real_size = 0

    def _pax_sparse(self, entry: Entry, records: dict[bytes, bytes], own: Pairs) -> None:
        size = tarsparse.real_size(records)
        if size is None:
            return
        entry.real_size = size
        if (name := records.get(b"GNU.sparse.name")) is not None:
            entry.name = name
        if tarsparse.map_in_data(records):
            entry.sparse = tarsparse.data_map(self._take_data)
            entry.size = self._left
        else:
            entry.sparse = tarsparse.record_map(records, own)

    def _take_data(self, size: int) -> bytes:
        """Return the next bytes of the entry's data, fewer at its end."""
        data = self._take(min(size, self._left))
        self._left -= len(data)
        return data

    def _error(self, what: str, entry: Entry | None = None) -> ArchiveError:
        where = f": entry {os.fsdecode(entry.name)!r}" if entry is not None else ""
        return ArchiveError(
            f"{self.archive} {what}{where}", help="it is damaged or no tar archive; make it anew"
        )

    def _cut(self) -> ArchiveError:
        return ArchiveError(f"{self.archive} is cut short", help="transfer it again, or make it anew")


def is_archive(source: int | Readable) -> bool:
    """Return whether a file is a tar archive, compressed or not, with at least one entry. Reads a little of
    it from its present offset."""
    from pybuild.runtime.image.decompression import pull_decompressed

    try:
        return next(iter(TarReader(pull_decompressed(source))), None) is not None
    except ArchiveError:
        return False


def _apply(entry: Entry, records: dict[bytes, bytes]) -> None:
    """Replace the fields of a header by the records of its extended header."""
    for key, value in records.items():
        if key == b"path":
            entry.name = value
        elif key == b"linkpath":
            entry.link = value
        elif key == b"size":
            entry.size = decimal(value)
        elif key == b"uid":
            entry.uid = decimal(value)
        elif key == b"gid":
            entry.gid = decimal(value)
        elif key == b"mtime":
            entry.mtime = time(value)
        elif key.startswith(XATTR):
            if entry.attributes is None:
                entry.attributes = {}
            entry.attributes[key[len(XATTR) :]] = value
        elif key == b"SCHILY.devmajor":
            entry.device = (decimal(value), entry.device[1])
        elif key == b"SCHILY.devminor":
            entry.device = (entry.device[0], decimal(value))
