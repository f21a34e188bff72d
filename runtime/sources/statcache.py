"""Digests of a local directory's files, kept between builds: an unchanged file is not read again.

An entry holds while size, mtime, ctime and inode of the file are what they were when its bytes were hashed. A
file whose times are younger than the clock's grain at that moment is not entered: a write within the same
tick would not show.
"""

from __future__ import annotations

import os
import struct
from hashlib import sha256
from zlib import crc32

TYPE_CHECKING = False
if TYPE_CHECKING:
    Signature = tuple[int, int, int, int, int]

MAGIC = b"pybuild stat cache 1\n"
_ENTRY = struct.Struct("<QqqQQ32s")
FINE_GRAIN = 50_000_000
"""Nanoseconds: more than a tick of kernels that stamp files by the timer interrupt."""
COARSE_GRAIN = 2_500_000_000
"""Nanoseconds: file systems that keep whole seconds, or two."""


def signature(stat: os.stat_result) -> Signature:
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_dev


def settled(stat: os.stat_result, when: int) -> bool:
    """Whether a file with this stat, looked at at `when` (nanoseconds), can't change without it showing."""
    latest = max(stat.st_mtime_ns, stat.st_ctime_ns)
    grain = FINE_GRAIN if stat.st_ctime_ns % 1_000_000 else COARSE_GRAIN
    return latest < when - grain


class StatCache:
    """The cache of one directory, in one file of the store. A damaged file counts as empty."""

    __slots__ = ("_changed", "_entries", "_path")

    def __init__(self, directory: str, root: bytes) -> None:
        self._path = os.path.join(directory, sha256(os.path.realpath(root)).hexdigest())
        self._entries: dict[bytes, tuple[Signature, bytes]] | None = None
        self._changed = False

    def get(self, path: bytes, stat: os.stat_result) -> bytes | None:
        """The sha256 of the file's bytes, if it is known and the file is the same."""
        if self._entries is None:
            self._entries = self._load()
        found = self._entries.get(path)
        return found[1] if found is not None and found[0] == signature(stat) else None

    def put(self, path: bytes, stat: os.stat_result, digest: bytes) -> None:
        if self._entries is None:
            self._entries = self._load()
        self._entries[path] = (signature(stat), digest)
        self._changed = True

    def save(self) -> None:
        """Write what was added, atomically. Two builds at once: the later one's entries win."""
        if not self._changed or self._entries is None:
            return
        names, packed = bytearray(), bytearray()
        for path, (found, digest) in self._entries.items():
            names += path + b"\0"
            packed += _ENTRY.pack(*found, digest)
        body = b"".join((struct.pack("<Q", len(self._entries)), packed, names))
        os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
        temporary = f"{self._path}.{os.urandom(6).hex()}"
        with open(temporary, "wb") as file:
            file.write(MAGIC + struct.pack("<I", crc32(body)) + body)
        os.rename(temporary, self._path)
        self._changed = False

    def _load(self) -> dict[bytes, tuple[Signature, bytes]]:
        try:
            with open(self._path, "rb") as file:
                data = file.read()
        except OSError:
            return {}
        start = len(MAGIC) + 4
        body = memoryview(data)[start:]
        if data[: len(MAGIC)] != MAGIC or crc32(body) != struct.unpack("<I", data[len(MAGIC) : start])[0]:
            return {}
        (count,) = struct.unpack_from("<Q", body)
        end = 8 + count * _ENTRY.size
        names = bytes(body[end:]).split(b"\0")
        rows = _ENTRY.iter_unpack(body[8:end])
        return {
            name: ((size, mtime, ctime, ino, dev), digest)
            for name, (size, mtime, ctime, ino, dev, digest) in zip(names, rows, strict=False)
        }
