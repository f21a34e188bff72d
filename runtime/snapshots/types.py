"""Snapshots and trees: file system states as the rest of the runtime sees them.

A *snapshot* is a committed diff directory over a parent snapshot, numbered by the store; `None` is the empty
root. A *tree* is read access to a state without mounting it. Paths inside a state are `bytes`, relative, without
a leading or trailing slash, `b""` for the root; they are resolved inside the root, so no symlink leads outside.
"""

from __future__ import annotations

import errno
import os
from stat import S_ISREG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from typing import Protocol
else:
    Protocol = object

INDEX = "index"
"""The name of the snapshotter whose states are lists of entries, with no places on the disk."""

# A process of a container may have put a fifo or a device where a file was, and no open may wait for a writer.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Content:
    """The bytes of a regular file, open for reading: those of descriptor `fd` from `offset` on, which may be amid
    those of other files. Leaving the context closes the descriptor."""

    __slots__ = ("_at", "_end", "fd", "offset")

    def __init__(self, fd: int, offset: int = 0, size: int | None = None) -> None:
        """Without a `size` the content ends where the file does."""
        self.fd = fd
        self.offset = offset
        self._at = offset
        self._end = None if size is None else offset + size

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, everything that is left if `size` is negative; b"" at the end."""
        if size < 0:
            parts = []
            while data := self.read(1 << 20):
                parts.append(data)
            return b"".join(parts)
        if self._end is not None:
            size = min(size, self._end - self._at)
        data = os.pread(self.fd, size, self._at)
        self._at += len(data)
        return data

    def seek(self, position: int) -> None:
        """Go on reading at a position of the content."""
        self._at = self.offset + position
        if self._end is not None:
            self._at = min(self._at, self._end)

    def __enter__(self) -> Content:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)


class Node:
    """An entry of a tree: its path in the state, its path on the disk (`real`), and its `lstat`. Readers of states
    use its methods, not the disk: trees that are no directories have nodes without a `real` path."""

    __slots__ = ("path", "real", "stat")

    def __init__(self, path: bytes, real: bytes, stat: os.stat_result) -> None:
        self.path = path
        self.real = real
        self.stat = stat

    def content(self) -> Content:
        """Open a regular file. Raises OSError, with EINVAL for what has become another kind of entry."""
        fd = os.open(self.real, _READ)
        if not S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), os.fsdecode(self.path))
        return Content(fd)

    def readlink(self) -> bytes:
        """The target of a symlink. Raises OSError."""
        return os.readlink(self.real)

    def attributes(self) -> Sequence[tuple[str, bytes]]:
        """The extended attributes that are content, as (name, value), ordered by name. Raises OSError."""
        from pybuild.runtime.snapshots.contents import attributes

        return attributes(self.real)

    def digest(self) -> bytes:
        """The sha256 of a regular file. Raises OSError."""
        from pybuild.runtime.snapshots.contents import file_digest

        return file_digest(self.real, self.stat)


class Resolution:
    """The result of resolving a path. `path` is the final path, without symlinks; `node` is the entry there, None
    if it is absent; `links` are the symlinks followed, in order, each with its own path. A content digest covers
    them too."""

    __slots__ = ("links", "node", "path")

    def __init__(self, path: bytes, node: Node | None, links: tuple[Node, ...]) -> None:
        self.path = path
        self.node = node
        self.links = links


class Tree(Protocol):
    """Read access to a file system state."""

    def resolve(self, path: bytes, *, follow_last: bool = True) -> Resolution:
        """Follow `path` inside the root: `..` stops at the root, absolute link targets start from it. Raises
        OSError(ELOOP) after 40 links, and NotADirectoryError when a component is not a directory."""

    def lstat(self, path: bytes) -> Node | None:
        """The entry at a path, with symlinks followed in all components but the last; None if absent."""

    def list(self, path: bytes) -> Sequence[Node]:
        """The entries of the directory at the resolved `path`, ordered by name."""

    def walk(self, path: bytes) -> Iterator[Node]:
        """Yield every entry below the directory at the resolved `path`, itself excluded: a directory before its
        content, names in byte order, symlinks not followed."""

    def file_digest(self, node: Node) -> bytes:
        """The sha256 of a regular file, from a cache if the file is known not to have changed."""


class Change:
    """An entry of a snapshot's diff against its parent.

    `kind` is `add` for an entry that is new, replaced or has other metadata, with the entry as `node`, or
    `delete`. An `opaque` directory has taken the place of the parent's.
    """

    __slots__ = ("kind", "node", "opaque", "path")

    def __init__(self, kind: str, path: bytes, node: Node | None = None, *, opaque: bool = False) -> None:
        self.kind = kind
        self.path = path
        self.node = node
        self.opaque = opaque


class Active(Protocol):
    """A writable snapshot under construction. End it with `commit` or `abort`; a sweep removes it if its process
    dies.

    `upper` is the directory whose content becomes the diff. While not mounted it may be written directly, in the
    snapshotter's on-disk form (see `Snapshotter.plain`, and `upper.py`).
    """

    parent: int | None

    @property
    def upper(self) -> bytes:
        """The directory."""

    def mount(self) -> AbstractContextManager[bytes]:
        """Mount the merged root, writable, in the build's mount namespace; the context gives its path and
        unmounts."""

    def commit(self, *, origin: int | None = None, unmatched: bool = False) -> int:
        """Make it a committed snapshot and return its number. Atomic: after a crash it is there whole or not at
        all. With `origin` its layer is that snapshot's. With `unmatched` it gets an identity that no other state
        has, so that it never takes the place of another step's result."""

    def abort(self) -> None:
        """Remove it. Idempotent; does nothing after a commit."""


class Snapshotter(Protocol):
    """Makes, mounts and reads snapshots of one kind, called `name` in the database. If `plain`, `Active.upper`
    holds the whole merged tree, without whiteouts; otherwise it is an overlay's upper directory."""

    name: str
    plain: bool

    def prepare(self, parent: int | None) -> Active:
        """Begin a snapshot over `parent`. Raises SnapshotError when there is no such parent."""

    def tree(self, snapshot: int | None) -> Tree:
        """Read access to a snapshot's state."""

    def active_tree(self, active: Active) -> Tree:
        """Read access to the merged state of a snapshot under construction. Each call reads `upper` anew."""

    def mount(self, snapshot: int | None) -> AbstractContextManager[bytes]:
        """Mount the state read-only; the context gives its path."""

    def changes(self, snapshot: int) -> Iterator[Change]:
        """Yield the diff against the parent: a directory before its content, names in byte order."""

    def chain(self, snapshot: int | None) -> list[int]:
        """The snapshot and its ancestors, the oldest first."""

    def layers(self, snapshot: int | None) -> list[int]:
        """The snapshots whose diffs make up the state, the lowest first: the chain, with each snapshot's origin in
        its place if it has one. A snapshot may occur twice."""

    def stack(self, parent: int | None, layer: int, cancelled: Callable[[], bool] | None = None) -> int:
        """Lay the diff of `layer` over `parent` and return the snapshot, whose layer is that of `layer`. It is
        made only if there is none yet. Raises SnapshotError, Cancelled, OSError (disk full)."""

    def difference(
        self, lower: int | None, upper: int | None, cancelled: Callable[[], bool] | None = None
    ) -> int | None:
        """Make a snapshot over the empty root whose layers turn `lower` into `upper`, deletions included: the
        layers of `upper` above `lower` if it was built on it, else a single layer. None if the two are the same
        snapshot. Raises as `stack`."""

    def identity(self, snapshot: int | None) -> str:
        """The digest of the parent's identity and the content of the diff: types, modes, owners, attributes, link
        targets, deletions, bytes, and hard links within the diff, but no times. Computed once and kept."""

    def by_identity(self, identity: str) -> int | None:
        """The earliest trusted snapshot with that identity."""

    def trusted(self, snapshot: int) -> bool:
        """Report whether the snapshot and its ancestors are there and were made in this boot or synced since."""

    def sync_old(self) -> int:
        """Sync the store's file system, and trust the snapshots committed before beyond this boot. Returns their
        number."""

    def remove(self, snapshots: Iterable[int]) -> Sequence[int]:
        """Delete the snapshots that nothing needs: no lease, and no other snapshot on top or with its layer.
        Returns the deleted ones."""

    def close(self) -> None:
        """Wait for work in the background. The snapshotter stays usable."""
