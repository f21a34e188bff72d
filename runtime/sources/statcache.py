"""Digests of a local directory's files, saved between builds, so that unchanged files are not read again.

An entry is valid while size, mtime, ctime, inode and device of the file are the same as when its bytes were hashed. A
file whose ctime was younger than the clock's grain is not entered, as a later write in the same tick would not show.
The ctime decides because, unlike the mtime, no program can set it.
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
    """Size, mtime and ctime (ns), inode, device; the SHA-256 of the bytes; whether the file has extended attributes
    that are content."""

MAGIC = b"pybuild stat cache 2\n"
_ENTRY = struct.Struct("<QqqQQ32s?")
_LEAST_TIME, _LAST_TIME = -(1 << 63), (1 << 63) - 1
"""Nanoseconds since the epoch: in the years 1677 and 2262."""
_COUNT = struct.Struct("<Q")
_SUM = struct.Struct("<I")
FINE_GRAIN = 12_000_000
"""Nanoseconds; more than a tick of the timer interrupt, by which kernels stamp files: at most 10 ms."""
COARSE_GRAIN = 2_500_000_000
"""Nanoseconds; more than the two seconds of the coarsest file systems."""

UNSEEN, LEAST = 3, 10_000
"""A cache may have UNSEEN times as many entries as a build sees files, or as LEAST if that is more."""


def describes(known: Known, status: os.stat_result) -> bool:
    """Report whether an entry is valid for a file with the stat `status`."""
    return (
        known[1] == status.st_mtime_ns
        and known[2] == status.st_ctime_ns
        and known[0] == status.st_size
        and known[3] == status.st_ino
        and known[4] == status.st_dev
    )


def known_of(status: os.stat_result, digest: bytes, attributed: bool) -> Known:
    """Return the entry for a file whose bytes have this digest."""
    return (
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_ino,
        status.st_dev,
        digest,
        attributed,
    )


def settled(status: os.stat_result, when: int) -> bool:
    """Report whether any change after `when` (nanoseconds) of a file with this stat will show in its ctime."""
    return at_rest(status.st_ctime_ns, when)


def at_rest(changed: int, when: int) -> bool:
    """Report the same by the file's ctime."""
    return changed < when - grain(changed)


def grain(changed: int) -> int:
    """Return the time in nanoseconds within which two changes may get the same ctime. A ctime of whole milliseconds
    is taken for that of a coarse file system."""
    return FINE_GRAIN if changed % 1_000_000 else COARSE_GRAIN


class StatCache:
    """The cache of a directory, in a file of the store. A damaged file counts as empty."""

    __slots__ = ("_entries", "_path", "_put")

    def __init__(self, directory: str, root: bytes) -> None:
        self._path = os.path.join(directory, sha256(os.path.realpath(root)).hexdigest())
        self._entries: dict[bytes, Known] | None = None
        self._put: dict[bytes, Known] = {}

    def get(self, path: bytes, status: os.stat_result) -> Known | None:
        """Return the entry of the file at `path` if it is valid, else None."""
        entries = self._entries
        if entries is None:
            entries = self._entries = self._load()
        known = entries.get(path)
        return known if known is not None and describes(known, status) else None

    def put(self, path: bytes, known: Known) -> None:
        """Add the entry of a settled file, unless its times don't fit into one: then it is read again each time."""
        if not (_LEAST_TIME <= known[1] <= _LAST_TIME and known[2] <= _LAST_TIME):
            return
        if self._entries is None:
            self._entries = self._load()
        self._entries[path] = self._put[path] = known

    def save(self, seen: Collection[bytes]) -> None:
        """Add the entries of `put` to those that other builds have saved meanwhile, atomically. If most entries are
        of files that were not `seen` in this build, they are dropped. Raises OSError."""
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
        # Not synced: the checksum tells a file that a loss of power damaged, which counts as empty.
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
