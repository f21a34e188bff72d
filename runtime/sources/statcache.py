"""Digests of a local directory's files, kept between builds: an unchanged file is not read again.

An entry holds while size, mtime, ctime and inode of the file are what they were when its bytes were hashed. A
file whose change time is younger than the clock's grain at that moment is not entered: a write within the same
tick would not show. The change time can't be set by anybody, as the modification time can.
"""

from __future__ import annotations

import os
import struct
from hashlib import sha256
from zlib import crc32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    Known = tuple[int, int, int, int, int, bytes, bool]
    """Size, mtime and ctime (ns), inode, device; the sha256 of the bytes; whether the file has extended
    attributes that are content."""

MAGIC = b"pybuild stat cache 2\n"
_ENTRY = struct.Struct("<QqqQQ32s?")
_COUNT = struct.Struct("<Q")
_SUM = struct.Struct("<I")
FINE_GRAIN = 12_000_000
"""Nanoseconds: more than a tick (10 ms at the most) of kernels that stamp files by the timer interrupt."""
COARSE_GRAIN = 2_500_000_000
"""Nanoseconds: file systems that keep whole seconds, or two."""

UNSEEN, LEAST = 3, 10_000
"""A cache may have this many times as many entries as a build sees files, or as this least number."""


def describes(known: Known, found: os.stat_result) -> bool:
    """Whether `known` was found out about the file as `found` shows it."""
    return (
        known[1] == found.st_mtime_ns
        and known[2] == found.st_ctime_ns
        and known[0] == found.st_size
        and known[3] == found.st_ino
        and known[4] == found.st_dev
    )


def known_of(found: os.stat_result, digest: bytes, attributed: bool) -> Known:
    return (
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
        found.st_ino,
        found.st_dev,
        digest,
        attributed,
    )


def settled(found: os.stat_result, when: int) -> bool:
    """Whether a file with this stat, looked at at `when` (nanoseconds), can't change without it showing."""
    return at_rest(found.st_ctime_ns, when)


def at_rest(changed: int, when: int) -> bool:
    """The same, by the file's change time."""
    return changed < when - grain(changed)


def grain(changed: int) -> int:
    """Within how many nanoseconds two changes may have one time, by the looks of such a time."""
    return FINE_GRAIN if changed % 1_000_000 else COARSE_GRAIN


class StatCache:
    """The cache of one directory, in one file of the store. A damaged file counts as empty."""

    __slots__ = ("_entries", "_path", "_put")

    def __init__(self, directory: str, root: bytes) -> None:
        self._path = os.path.join(directory, sha256(os.path.realpath(root)).hexdigest())
        self._entries: dict[bytes, Known] | None = None
        self._put: dict[bytes, Known] = {}

    def get(self, path: bytes, found: os.stat_result) -> Known | None:
        """What is known of the file at `path`, if it is the same as then."""
        entries = self._entries
        if entries is None:
            entries = self._entries = self._load()
        known = entries.get(path)
        return known if known is not None and describes(known, found) else None

    def put(self, path: bytes, known: Known) -> None:
        """Enter what was found out about a file that is settled."""
        if self._entries is None:
            self._entries = self._load()
        self._entries[path] = self._put[path] = known

    def save(self, seen: Collection[bytes]) -> None:
        """Write what was added, atomically, over what others have written meanwhile. When most entries are
        not of files `seen` in this build, only those of seen ones stay. Raises OSError."""
        if not self._put:
            return
        entries = self._load()
        entries.update(self._put)
        if len(entries) > UNSEEN * max(len(seen), LEAST):
            entries = {path: known for path, known in entries.items() if path in seen}
        body = bytearray(_COUNT.pack(len(entries)))
        for known in entries.values():
            body += _ENTRY.pack(*known)
        body += b"\0".join(entries)
        os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
        temporary = f"{self._path}.{os.urandom(6).hex()}"
        with open(temporary, "wb") as file:
            file.write(MAGIC + _SUM.pack(crc32(body)))
            file.write(body)
        os.rename(temporary, self._path)
        self._entries = entries
        self._put = {}

    def _load(self) -> dict[bytes, Known]:
        try:
            with open(self._path, "rb") as file:
                data = file.read()
        except OSError:
            return {}
        start = len(MAGIC) + _SUM.size
        body = memoryview(data)[start:]
        if len(body) < _COUNT.size or not data.startswith(MAGIC):
            return {}
        if crc32(body) != _SUM.unpack_from(data, len(MAGIC))[0]:
            return {}
        end = _COUNT.size + _COUNT.unpack_from(body)[0] * _ENTRY.size
        names = bytes(body[end:]).split(b"\0")
        return dict(zip(names, _ENTRY.iter_unpack(body[_COUNT.size : end]), strict=False))
