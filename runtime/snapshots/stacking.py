"""Lay the diff of one snapshot over another state, as merges and differences do.

The layer of such a snapshot is that of its *origin*, the snapshot whose diff it repeats: the same blob, over
whatever parent. Its files are one of two:

- the origin's own directory, if that means the same over any parent (`_shareable`); then only a row is written;
- else a directory made by applying the origin's changes to the parent, with hard links to the origin's files where
  the snapshotter uses links. The result is that of unpacking the origin's layer over the parent's: directories that
  lead to a change take the origin's metadata, and a deletion deletes whatever the parent has.
"""

from __future__ import annotations

import os
import stat

from pybuild.lang.diagnostics import Cancelled
from pybuild.runtime.snapshots.differences import path_order, tree_changes
from pybuild.runtime.snapshots.tree import is_opaque, is_whiteout
from pybuild.runtime.snapshots.types import Change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TypeAlias

    from pybuild.runtime.snapshots.committed import Cancel
    from pybuild.runtime.snapshots.copying import CopySnapshotter
    from pybuild.runtime.snapshots.overlay import OverlaySnapshotter
    from pybuild.runtime.snapshots.types import Active, Node, Tree

    Layered: TypeAlias = OverlaySnapshotter | CopySnapshotter

DELETED = b"deleted"
"""File of a snapshot over the empty root: the paths that its diff deletes when it is laid over another state, each
followed by a zero byte. An upper directory over nothing has no whiteouts that could tell them."""


def lay_over(snapshotter: Layered, parent: int | None, origin: int, cancelled: Cancel) -> int:
    """Lay the diff of `origin` over `parent` and return the resulting snapshot. Raises as `Snapshotter.stack`."""
    from pybuild.runtime.snapshots.hardlinks import shared_inodes
    from pybuild.runtime.snapshots.overlay import OverlaySnapshotter

    snapshots = snapshotter.committed
    unlinkable = set()
    if isinstance(snapshotter, OverlaySnapshotter):
        unlinkable = shared_inodes(snapshots, origin, parent)
        if not unlinkable and parent is not None and _shareable(snapshotter, parent, origin):
            return snapshots.share(parent, origin)
    active = snapshotter.prepare(parent)
    try:
        applier = Applier(snapshotter, active, snapshotter.tree(origin), unlinkable, cancelled)
        applier.apply(snapshotter.changes(origin))
        applier.finish([snapshots.files(origin)])
        return active.commit(origin=origin)
    finally:
        active.abort()  # does nothing after a commit


def lay_difference(snapshotter: Layered, lower: int | None, upper: int | None, cancelled: Cancel) -> int:
    """Make a snapshot over the empty root whose diff turns `lower` into `upper`. Raises as
    `Snapshotter.difference`."""
    old, new = snapshotter.tree(lower), snapshotter.tree(upper)
    active = snapshotter.prepare(None)
    try:
        applier = Applier(snapshotter, active, new, set(), cancelled)
        applier.apply(tree_changes(old, new, None))
        applier.finish([snapshotter.committed.files(each) for each in snapshotter.chain(upper)])
        if applier.deleted:
            note_deletions(active, applier.deleted)
        return active.commit()
    finally:
        active.abort()


def note_deletions(active: Active, deleted: Iterable[bytes]) -> None:
    """Note beside the files of a snapshot over the empty root the paths that its diff deletes, in their order."""
    with open(os.path.dirname(active.upper) + b"/" + DELETED, "wb") as file:
        file.write(b"".join(path + b"\0" for path in deleted))


def with_deletions(changes: Iterator[Change], directory: bytes) -> Iterator[Change]:
    """Merge `changes` with the deletions noted in a snapshot's directory, in the order of changes."""
    deleted = _deleted(directory)
    if not deleted:
        return changes
    return _merged(changes, iter(deleted))


def _merged(changes: Iterator[Change], deleted: Iterator[bytes]) -> Iterator[Change]:
    path = next(deleted, None)
    for change in changes:
        while path is not None and path_order(path) < path_order(change.path):
            yield Change("delete", path)
            path = next(deleted, None)
        yield change
    while path is not None:
        yield Change("delete", path)
        path = next(deleted, None)


def _deleted(directory: bytes) -> list[bytes]:
    try:
        with open(directory + b"/" + DELETED, "rb") as file:
            return file.read().split(b"\0")[:-1]
    except FileNotFoundError:
        return []


def _shareable(snapshotter: OverlaySnapshotter, parent: int, origin: int) -> bool:
    """Report whether the origin's directory, mounted over `parent`, is what applying its changes would give. That
    is so if the origin was made over nothing (then each entry is a change), has no whiteouts and no opaque marks,
    and has the same root metadata (the root is no part of a layer)."""
    from pybuild.runtime.snapshots.contents import attributes

    snapshots = snapshotter.committed
    if snapshots.parent(origin) is not None or os.path.exists(snapshots.directory(origin) + b"/" + DELETED):
        return False
    own, below = snapshots.files(origin), snapshots.files(parent)
    top, beneath = os.lstat(own), os.lstat(below)
    if (top.st_mode, top.st_uid, top.st_gid) != (beneath.st_mode, beneath.st_uid, beneath.st_gid):
        return False
    return attributes(own) == attributes(below) and not _has_marks(own, snapshotter.opaque)


def _has_marks(layer: bytes, opaque: str) -> bool:
    """Report whether a layer's directory has a whiteout or an opaque directory in it."""
    pending = [layer]
    while pending:
        with os.scandir(pending.pop()) as scan:
            for entry in scan:
                if entry.is_dir(follow_symlinks=False):
                    if is_opaque(entry.path, opaque):
                        return True
                    pending.append(entry.path)
                elif not (entry.is_file(follow_symlinks=False) or entry.is_symlink()) and is_whiteout(
                    entry.stat(follow_symlinks=False)
                ):
                    return True
    return False


class Applier:
    """Applies changes that lead to state `source` to a snapshot under construction. Files whose inodes are in
    `unlinkable` are copied, not linked."""

    def __init__(
        self,
        snapshotter: Layered,
        active: Active,
        source: Tree,
        unlinkable: set[tuple[int, int]],
        cancelled: Cancel,
    ) -> None:
        self._snapshotter = snapshotter
        self._active = active
        self._source = source
        self._unlinkable = unlinkable
        self._cancelled = cancelled
        # Directories made so far with their final times (ns), which writing into them changes.
        self._directories: dict[bytes, int] = {b"": os.lstat(active.upper).st_mtime_ns}
        # Files made so far that have several names, by the inode in `source`.
        self._copies: dict[tuple[int, int], bytes] = {}
        self._linked = False
        self.deleted: list[bytes] = []
        """Paths of the deletions, in order."""

    def apply(self, changes: Iterable[Change]) -> None:
        """Apply changes in their order. Raises Cancelled, OSError."""
        from pybuild.runtime.snapshots.upper import hide

        for change in changes:
            if self._cancelled is not None and self._cancelled():
                raise Cancelled
            self._lead(change.path.rpartition(b"/")[0])
            if change.kind == "delete":
                hide(self._snapshotter, self._active, change.path)
                self.deleted.append(change.path)
                continue
            assert change.node is not None
            if stat.S_ISDIR(change.node.stat.st_mode):
                self._directory(change.path, change.node)
            else:
                self._leaf(change.path, change.node)

    def finish(self, layers: Iterable[bytes]) -> None:
        """Give directories their times; if files were linked, note `layers` as where they are from."""
        from pybuild.runtime.snapshots.hardlinks import note_links

        for path, mtime in reversed(self._directories.items()):
            real = self._active.upper + b"/" + path if path else self._active.upper
            try:
                os.utime(real, ns=(mtime, mtime), follow_symlinks=False)
            except FileNotFoundError:
                continue  # it led only to deletions of entries that the parent does not have
        if self._linked:
            note_links(os.path.dirname(self._active.upper), layers)

    def _lead(self, path: bytes) -> None:
        """Make directory `path`, which leads to a change, and the directories above it, with the source's
        metadata."""
        if path in self._directories:
            return
        self._lead(path.rpartition(b"/")[0])
        node = self._source.lstat(path)
        assert node is not None
        self._directory(path, node)

    def _directory(self, path: bytes, node: Node) -> None:
        from pybuild.runtime.snapshots.copies import copy_metadata
        from pybuild.runtime.snapshots.upper import make_directory

        copy_metadata(node.real, node.stat, make_directory(self._snapshotter, self._active, path))
        self._directories[path] = node.stat.st_mtime_ns

    def _leaf(self, path: bytes, node: Node) -> None:
        from pybuild.runtime.snapshots.copies import copy_entry, link_entry
        from pybuild.runtime.snapshots.upper import replace

        target = replace(self._snapshotter, self._active, path)
        status = node.stat
        inode = (status.st_dev, status.st_ino)
        earlier = self._copies.get(inode) if status.st_nlink > 1 else None
        if earlier is not None and link_entry(earlier, target):
            return
        if (
            not self._snapshotter.plain
            and stat.S_ISREG(status.st_mode)
            and inode not in self._unlinkable
            and link_entry(node.real, target)
        ):
            self._linked = True
        else:
            copy_entry(node.real, status, target)
        if status.st_nlink > 1:
            self._copies[inode] = target
