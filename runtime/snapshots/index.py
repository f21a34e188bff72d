"""Entries of states that are no directories on the disk, and the encoding of a snapshot's diff as a list of them.

A state is a tree of `Entry` values, which states share: a directory that a snapshot changes is another value than
its parent's, with the parent's as `base` while the snapshot is made. An index is the diff of one snapshot, in the
order of changes:

    magic, the digest of the layer that contents lie in (or zeros), the number of records
    the root directory, then for each change: flags, path, and for an added entry all that is known of it
    the sha256 of everything before

Numbers are little-endian. The same diff has one encoding, except for the places of contents.
"""

from __future__ import annotations

import os
import stat
from hashlib import sha256
from itertools import count
from struct import Struct, error

from pybuild.lang.diagnostics import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    Attributes: TypeAlias = tuple[tuple[str, bytes], ...]

MAGIC = b"pybuild index 1\n"
NAME = b"index"
"""File of a snapshot: its index."""
DELETED, OPAQUE, TIME_ONLY = 1, 2, 4
"""Flags of a change: a deletion; a directory that hides the parent's; a directory that only its time tells from the
parent's."""
OWN, STREAM = 0, 1
"""Files that contents lie in: `data`, with contents one after another, and the uncompressed layer of a snapshot."""

_HEAD = Struct("<16s32sI")
_CHANGE = Struct("<BI")
_ENTRY = Struct("<IIIqIQQIIBQQ32sII")
_LENGTHS = Struct("<II")
_NO_DIGEST = bytes(32)
_inodes = count(1)


class IndexDamaged(UserError):
    """The index of a snapshot can't be read."""

    def __init__(self, path: bytes, reason: str) -> None:
        super().__init__(
            f"the index {os.fsdecode(path)} of a snapshot is damaged: {reason}",
            help="its disk may be failing; run the build again with --no-cache, or remove the store",
        )


class Place:
    """The place of a file's bytes: the file `kind` of a snapshot, None for the one that is being made, from `offset`
    on."""

    __slots__ = ("kind", "offset", "snapshot")

    def __init__(self, snapshot: int | None, kind: int, offset: int) -> None:
        self.snapshot = snapshot
        self.kind = kind
        self.offset = offset


class Entry:
    """An entry of a state, under any number of names. `mode` has the type, `mtime` is in nanoseconds, `device` is
    that of a device node. `owner` is the snapshot under construction that may change the entry."""

    __slots__ = (
        "_status",
        "attributes",
        "device",
        "digest",
        "gid",
        "inode",
        "link",
        "mode",
        "mtime",
        "names",
        "owner",
        "place",
        "size",
        "uid",
    )

    def __init__(self, mode: int, uid: int, gid: int, mtime: int, owner: object = None) -> None:
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.mtime = mtime
        self.owner = owner
        self.size = self.device = 0
        self.link = b""
        self.attributes: Attributes = ()
        self.digest = b""
        self.place: Place | None = None
        self.names = 1
        self.inode = next(_inodes)
        self._status: os.stat_result | None = None

    def status(self) -> os.stat_result:
        """The entry's lstat. No device has its number 0, and no other entry its inode number."""
        status = self._status
        if status is None:
            seconds = self.mtime // 1_000_000_000
            times = {f"st_{kind}time_ns": self.mtime for kind in "amc"}
            status = os.stat_result(
                (
                    self.mode,
                    self.inode,
                    0,
                    self.names,
                    self.uid,
                    self.gid,
                    self.size,
                    *(seconds,) * 3,
                ),
                {**times, "st_rdev": self.device, "st_blocks": -(-self.size // 512)},
            )
            if self.owner is None:
                self._status = status
        return status

    def copy(self, owner: object) -> Entry:
        """The same as another inode, which `owner` may change."""
        other = Entry(self.mode, self.uid, self.gid, self.mtime, owner)
        for name in ("size", "device", "link", "attributes", "digest", "place"):
            setattr(other, name, getattr(self, name))
        return other


class Directory(Entry):
    """A directory with its entries by name. `base` is the parent state's directory that this one changes."""

    __slots__ = ("base", "children")

    def __init__(self, mode: int, uid: int, gid: int, mtime: int, owner: object = None) -> None:
        super().__init__(stat.S_IFDIR | mode & 0o7777, uid, gid, mtime, owner)
        self.children: dict[bytes, Entry] = {}
        self.base: Directory | None = None

    def changed(self, owner: object) -> Directory:
        """The directory as `owner` may change it."""
        other = Directory(self.mode, self.uid, self.gid, self.mtime, owner)
        other.attributes = self.attributes
        other.children = dict(self.children)
        other.base = self
        return other


class Record:
    """A change: flags, path, and the entry unless it is a deletion."""

    __slots__ = ("entry", "flags", "path")

    def __init__(self, flags: int, path: bytes, entry: Entry | None) -> None:
        self.flags = flags
        self.path = path
        self.entry = entry


class Index:
    """A snapshot's diff: its root directory without children, and the changes. `layer` is the digest of the
    uncompressed layer that contents of kind STREAM lie in, or empty."""

    __slots__ = ("layer", "records", "root")

    def __init__(self, root: Directory, records: Sequence[Record], layer: str = "") -> None:
        self.root = root
        self.records = records
        self.layer = layer


def encode(index: Index) -> bytes:
    """Return the bytes of an index."""
    layer = bytes.fromhex(index.layer.partition(":")[2]) if index.layer else _NO_DIGEST
    groups: dict[int, int] = {}
    parts = [
        _HEAD.pack(MAGIC, layer, len(index.records)),
        _CHANGE.pack(0, 0),
        *_described(index.root, groups),
    ]
    for record in index.records:
        parts += (_CHANGE.pack(record.flags, len(record.path)), record.path)
        if record.entry is not None:
            parts += _described(record.entry, groups)
    body = b"".join(parts)
    return body + sha256(body).digest()


def _described(entry: Entry, groups: dict[int, int]) -> list[bytes]:
    """Return the parts of an entry's encoding. `groups` numbers the inodes that have several names."""
    group = groups.setdefault(entry.inode, len(groups) + 1) if entry.names > 1 else 0
    place = entry.place or Place(None, OWN, 0)
    seconds, rest = divmod(entry.mtime, 1_000_000_000)
    parts = [
        _ENTRY.pack(
            entry.mode,
            entry.uid,
            entry.gid,
            seconds,
            rest,
            entry.size,
            entry.device,
            group,
            entry.names,
            place.kind,
            0 if place.snapshot is None else place.snapshot,
            place.offset,
            entry.digest or _NO_DIGEST,
            len(entry.link),
            len(entry.attributes),
        ),
        entry.link,
    ]
    for name, value in entry.attributes:
        key = os.fsencode(name)
        parts += (_LENGTHS.pack(len(key), len(value)), key, value)
    return parts


def layer_of(path: bytes) -> str:
    """Return the digest of the layer that an index's contents lie in, "" if they lie in none. Raises IndexDamaged,
    OSError."""
    with open(path, "rb") as file:
        data = file.read(_HEAD.size)
    if len(data) < _HEAD.size:
        raise IndexDamaged(path, "it is cut short")
    magic, layer, _ = _HEAD.unpack(data)
    if magic != MAGIC:
        raise IndexDamaged(path, "it is of another version")
    return "" if layer == _NO_DIGEST else "sha256:" + layer.hex()


def decode(data: bytes, path: bytes, snapshot: int) -> Index:
    """Return the index in `data`, the bytes of file `path`, which belongs to `snapshot`. Raises IndexDamaged."""
    body = memoryview(data)[:-32]
    if len(data) < _HEAD.size + 32 or sha256(body).digest() != data[-32:]:
        raise IndexDamaged(path, "its checksum is wrong")
    try:
        return _Decoder(data, snapshot).index()
    except (error, UnicodeError, ValueError) as failure:
        raise IndexDamaged(path, str(failure)) from None


class _Decoder:
    """The reading of one index; `_at` is the offset of what comes next."""

    def __init__(self, data: bytes, snapshot: int) -> None:
        self._data = data
        self._snapshot = snapshot
        self._at = _HEAD.size
        self._groups: dict[int, Entry] = {}

    def index(self) -> Index:
        magic, layer, number = _HEAD.unpack_from(self._data)
        if magic != MAGIC:
            raise ValueError("it is of another version")
        root = self._record().entry
        if not isinstance(root, Directory):
            raise ValueError("its root is no directory")
        records = [self._record() for _ in range(number)]
        return Index(root, records, "" if layer == _NO_DIGEST else "sha256:" + layer.hex())

    def _record(self) -> Record:
        flags, size = _CHANGE.unpack_from(self._data, self._at)
        self._at += _CHANGE.size
        path = self._bytes(size)
        return Record(flags, path, None if flags & DELETED else self._entry())

    def _entry(self) -> Entry:
        fields = _ENTRY.unpack_from(self._data, self._at)
        mode, uid, gid, seconds, rest, size, device, group, names, kind, holder, offset, digest = fields[:13]
        self._at += _ENTRY.size
        mtime = seconds * 1_000_000_000 + rest
        make: Callable[[int, int, int, int], Entry] = Directory if stat.S_ISDIR(mode) else Entry
        entry = make(mode, uid, gid, mtime)
        entry.size, entry.device, entry.names = size, device, names
        entry.link = self._bytes(fields[13])
        entry.attributes = tuple(self._attribute() for _ in range(fields[14]))
        if digest != _NO_DIGEST:
            entry.digest = digest
            entry.place = Place(holder or self._snapshot, kind, offset)
        return self._groups.setdefault(group, entry) if group else entry

    def _attribute(self) -> tuple[str, bytes]:
        name, value = _LENGTHS.unpack_from(self._data, self._at)
        self._at += _LENGTHS.size
        return os.fsdecode(self._bytes(name)), self._bytes(value)

    def _bytes(self, size: int) -> bytes:
        start, self._at = self._at, self._at + size
        if self._at > len(self._data) - 32:
            raise ValueError("it is cut short")
        return self._data[start : self._at]
