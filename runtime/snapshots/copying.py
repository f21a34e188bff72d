"""Plain snapshots: each is a whole tree, for hosts where no kind of overlay can be mounted."""

from __future__ import annotations

import os
import time

from pybuild.runtime.snapshots.committed import CommittedSnapshots, CommittedSnapshotter, files_missing
from pybuild.runtime.snapshots.differences import tree_changes
from pybuild.runtime.snapshots.tree import DirectoryTree
from pybuild.runtime.snapshots.types import Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from pybuild.runtime.content.store import Store
    from pybuild.runtime.snapshots.committed import Cancel
    from pybuild.runtime.snapshots.mounts import Mounted
    from pybuild.runtime.snapshots.types import Active, Change

COPIED = b"copied"
"""File of a snapshot: the file system's times (ns) before and after its parent was copied, for `tree_changes`."""


class CopySnapshotter(CommittedSnapshotter):
    """Snapshots as whole trees; implements `types.Snapshotter`. They have no hard links to one another's files,
    since steps write in place."""

    name = "copy"
    plain = True

    __slots__ = ()

    def __init__(self, store: Store) -> None:
        super().__init__(CommittedSnapshots(store, self.name))

    def prepare(self, parent: int | None) -> CopyActive:
        """Begin a snapshot as a copy of `parent`. Raises SnapshotError when there is no such parent."""
        from pybuild.runtime.snapshots.copies import copy_tree

        self.committed.chain(parent)
        room = self.committed.room()
        os.mkdir(room)
        upper = room + b"/fs"
        os.mkdir(upper)
        os.chmod(upper, 0o755)
        if parent is not None:
            clock = room + b"/" + COPIED
            begin = _file_system_time(clock)
            try:
                copy_tree(self.tree(parent), upper)
            except FileNotFoundError as failure:
                raise files_missing(parent) from failure
            end = _file_system_time(clock)
            # Wait for the clock's next tick: then whatever a step writes has a later time than the copy.
            while _file_system_time(clock) <= end:
                time.sleep(0.001)
            with open(clock, "w", encoding="ascii") as file:
                file.write(f"{begin} {end}")
        return CopyActive(self, parent, room)

    def tree(self, snapshot: int | None) -> DirectoryTree:
        return DirectoryTree(self.committed.empty() if snapshot is None else self._root(snapshot))

    def active_tree(self, active: Active) -> DirectoryTree:
        return DirectoryTree(active.upper)

    def mount(self, snapshot: int | None) -> Mounted:
        """Mount the tree read-only. Where mounts are not allowed, give the tree itself, which must not be
        changed."""
        from pybuild.runtime.snapshots.mounts import Mounted, bind

        root = self.committed.empty() if snapshot is None else self._root(snapshot)
        self.committed.chain(snapshot)
        target = self.committed.room()
        os.mkdir(target)
        try:
            bind(root, target, readonly=True)
        except PermissionError:
            os.rmdir(target)
            return Mounted(root, mounted=False)
        return Mounted(target, after=[lambda: os.rmdir(target)])

    def _lay_over(self, parent: int | None, origin: int, cancelled: Cancel) -> int:
        from pybuild.runtime.snapshots.stacking import lay_over

        return lay_over(self, parent, origin, cancelled)

    def _lay_difference(self, lower: int | None, upper: int | None, cancelled: Cancel) -> int:
        from pybuild.runtime.snapshots.stacking import lay_difference

        return lay_difference(self, lower, upper, cancelled)

    def _top(self, snapshot: int) -> Node:
        root = self._root(snapshot)
        return Node(b"", root, os.lstat(root))

    def _root(self, snapshot: int) -> bytes:
        return self.committed.directory(snapshot) + b"/fs"

    def _changes(self, snapshot: int, *, times: bool) -> Iterator[Change]:
        from pybuild.runtime.snapshots.stacking import with_deletions

        origin = self.committed.origin(snapshot)
        parent = self.committed.parent(origin)
        copied: tuple[int, int] | None = None
        if parent is not None:
            with open(self.committed.directory(origin) + b"/" + COPIED, encoding="ascii") as file:
                begin, end = file.read().split()
            copied = int(begin), int(end)
        changes = tree_changes(self.tree(parent), self.tree(origin), copied, times=times)
        return with_deletions(changes, self.committed.directory(origin))


class CopyActive:
    """A plain snapshot under construction; implements `types.Active`. `upper` is the whole tree."""

    __slots__ = ("_owner", "_room", "parent", "upper")

    def __init__(self, owner: CopySnapshotter, parent: int | None, room: bytes) -> None:
        self._owner = owner
        self._room = room
        self.parent = parent
        self.upper = room + b"/fs"

    def mount(self) -> AbstractContextManager[bytes]:
        """Give the tree itself: there is nothing to mount."""
        from pybuild.runtime.snapshots.mounts import Mounted

        return Mounted(self.upper, mounted=False)

    def commit(self, *, origin: int | None = None, unmatched: bool = False) -> int:
        return self._owner.committed.add(self.parent, self._room, origin, unmatched=unmatched)

    def abort(self) -> None:
        from pybuild.runtime.snapshots.removal import remove_tree

        remove_tree(self._room)


def _file_system_time(path: bytes) -> int:
    """The file system's clock in ns: the change time of `path` after writing it. It may lag behind the system's."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, b"0")
        return os.fstat(fd).st_ctime_ns
    finally:
        os.close(fd)
