"""Snapshots under construction as entries of an index, with contents one after another in one file."""

from __future__ import annotations

import errno
import os
import stat
import time
from hashlib import sha256

from pybuild.runtime.snapshots.index import NAME, OWN, Directory, Entry, Index, Place, encode
from pybuild.runtime.snapshots.indexstates import differences
from pybuild.runtime.snapshots.indextree import IndexNode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from typing import Protocol

    from pybuild.runtime.snapshots.committed import CommittedSnapshots
    from pybuild.runtime.snapshots.indextree import IndexTree
    from pybuild.runtime.snapshots.types import Change
else:
    Protocol = object

DATA = b"data"
"""File of a snapshot: contents of its files, one after another."""
CHUNK = 1 << 20


class Indexes(Protocol):
    """The snapshots of one store, as their builders need them: see `IndexSnapshotter`."""

    committed: CommittedSnapshots

    def prepare(self, parent: int | None) -> IndexActive: ...
    def tree(self, snapshot: int | None) -> IndexTree: ...
    def changes(self, snapshot: int) -> Iterator[Change]: ...
    def chain(self, snapshot: int | None) -> list[int]: ...
    def open(self, place: Place) -> int: ...
    def take_over(self, active: IndexActive, directory: bytes) -> None: ...


class IndexActive:
    """A snapshot under construction; implements `types.Active`. Paths are resolved. `root` is the state so far,
    `layer` the digest of the uncompressed layer that contents lie in, if they do. `deleted` are paths that the diff
    deletes though the parent has none there, `origin` is the snapshot whose diff this one repeats."""

    def __init__(self, owner: Indexes, parent: int | None, room: bytes, below: Directory) -> None:
        self._owner = owner
        self._room = room
        self._below = below
        self._data = -1
        self._kept: frozenset[int] | None = None
        self.parent = parent
        self.root = below.changed(self)
        self.layer = ""
        self.deleted: Sequence[bytes] = ()
        self.origin: int | None = None

    @property
    def upper(self) -> bytes:
        """A directory whose content `commit` takes over, with owners that are this process's as root's."""
        path = self._room + b"/fs"
        if not os.path.isdir(path):
            os.mkdir(path)
            os.chmod(path, stat.S_IMODE(self.root.mode) | stat.S_IRWXU)
        return path

    # Writing

    def directory(self, path: bytes) -> Directory:
        """Return the existing directory `path` to be changed. Raises FileNotFoundError, NotADirectoryError."""
        here = self.root
        for name in path.split(b"/") if path else ():
            entry = here.children.get(name)
            if not isinstance(entry, Directory):
                code = errno.ENOENT if entry is None else errno.ENOTDIR
                raise OSError(code, os.strerror(code), os.fsdecode(path))
            here = self.own(here, name, entry)
        return here

    def own(self, above: Directory, name: bytes, entry: Directory) -> Directory:
        """Return directory `name` of `above`, which may be changed, so that it may be changed too."""
        if entry.owner is not self:
            above.children[name] = entry = entry.changed(self)
        return entry

    def make(self, mode: int, uid: int, gid: int, mtime: int | None) -> Entry:
        """Return a new entry that has no name yet."""
        kind = Directory if stat.S_ISDIR(mode) else Entry
        return kind(mode, uid, gid, time.time_ns() if mtime is None else mtime, self)

    def data(self) -> int:
        """The descriptor of the file with contents, at its end."""
        if self._data < 0:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._data = os.open(self._room + b"/" + DATA, flags, 0o600)
        os.lseek(self._data, 0, os.SEEK_END)
        return self._data

    def fill(
        self, entry: Entry, write: Callable[[int], object], digest: Callable[[], bytes | None] | None = None
    ) -> None:
        """Make `entry` a file with the bytes that `write` appends to a descriptor's file. `digest` gives theirs
        afterwards, if it is known."""
        fd = self.data()
        start = os.lseek(fd, 0, os.SEEK_CUR)
        write(fd)
        entry.place = Place(None, OWN, start)
        entry.size = os.lseek(fd, 0, os.SEEK_END) - start
        known = None if digest is None else digest()
        entry.digest = self._digest(start, entry.size) if known is None else known

    def _digest(self, at: int, size: int) -> bytes:
        value = sha256()
        end = at + size
        while at < end:
            data = os.pread(self._data, min(CHUNK, end - at), at)
            if not data:
                raise OSError(errno.EIO, "the file of contents is shorter than it was written")
            value.update(data)
            at += len(data)
        return value.digest()

    def adopt(self, node: IndexNode) -> Entry | None:
        """Return a new entry with everything of a node, whose contents are not copied; None if the place of its
        contents may go away before this snapshot."""
        entry = node.entry
        place = entry.place
        if place is not None and (place.snapshot is None or place.snapshot not in self._lasting()):
            return None
        return entry.copy(self)

    def _lasting(self) -> frozenset[int]:
        """The snapshots that stay as long as this one."""
        if self._kept is None:
            chain = self._owner.chain
            self._kept = frozenset((*chain(self.parent), *chain(self.origin)))
        return self._kept

    def open(self, place: Place) -> int:
        """Open the file that contents lie in."""
        if place.snapshot is None:
            return os.open(self._room + b"/" + DATA, os.O_RDONLY | os.O_CLOEXEC)
        return self._owner.open(place)

    # The contract of Active

    def mount(self) -> AbstractContextManager[bytes]:
        from pybuild.runtime.snapshots.committed import SnapshotError

        raise SnapshotError("a state of the snapshotter index can't be mounted")

    def commit(self, *, origin: int | None = None, unmatched: bool = False) -> int:
        scratch = self._room + b"/fs"
        if os.path.isdir(scratch):
            from pybuild.runtime.snapshots.removal import remove_tree

            self._owner.take_over(self, scratch)
            remove_tree(scratch)
        self.close()
        below = None if self.parent is None else self._below
        records = differences(below, self.root, self.deleted)
        with open(self._room + b"/" + NAME, "wb") as file:
            file.write(encode(Index(self.root, records, self.layer)))
        return self._owner.committed.add(self.parent, self._room, origin, unmatched=unmatched)

    def abort(self) -> None:
        from pybuild.runtime.snapshots.removal import remove_tree

        self.close()
        remove_tree(self._room)

    def close(self) -> None:
        """Close the file with contents. Idempotent."""
        fd, self._data = self._data, -1
        if fd >= 0:
            os.close(fd)
