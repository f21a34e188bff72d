"""A diff laid over another state: what merges and differences are made of.

The layer of such a snapshot is that of its *origin*, the snapshot whose diff it repeats: the same blob, wherever
the diff lies. Its files are

- the origin's own directory, if what the directory says does not depend on what is beneath (`_shareable`); then
  nothing is written but a row;
- else a directory made by applying the origin's changes to the parent, files as hard links where the snapshotter
  links at all. This is what unpacking the origin's layer over the parent's gives: the directories that lead to a
  change take the origin's metadata, a deletion is one of whatever the parent has.
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
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeAlias

    from pybuild.runtime.snapshots.copying import CopySnapshotter
    from pybuild.runtime.snapshots.overlay import OverlaySnapshotter
    from pybuild.runtime.snapshots.types import Active, Tree

    Layered: TypeAlias = OverlaySnapshotter | CopySnapshotter
    Cancel: TypeAlias = Callable[[], bool] | None

DELETED = b"deleted"
"""File of a snapshot over the empty root: the paths that its diff deletes wherever it is laid, each followed by a
zero byte."""


def stack(snapshotter: Layered, parent: int | None, layer: int, cancelled: Cancel = None) -> int:
    """See `Snapshotter.stack`."""
    from pybuild.runtime.snapshots.hardlinks import shared_inodes
    from pybuild.runtime.snapshots.overlay import OverlaySnapshotter

    snapshots = snapshotter.committed
    origin = snapshots.origin(layer)
    if snapshots.parent(origin) == parent:
        return origin
    known = snapshots.stacked(parent, origin)
    if known is not None:
        snapshots.store.lease("snapshot", str(known))
        if snapshots.trusted(known):
            return known
    apart = set()
    if isinstance(snapshotter, OverlaySnapshotter):
        apart = shared_inodes(snapshots, origin, parent)
        if not apart and parent is not None and _shareable(snapshotter, parent, origin):
            return snapshots.share(parent, origin)
    active = snapshotter.prepare(parent)
    try:
        applier = Applier(snapshotter, active, snapshotter.tree(origin), apart, cancelled)
        applier.apply(snapshotter.changes(origin))
        applier.finish([snapshots.files(origin)])
        return active.commit(origin=origin)
    finally:
        active.abort()


def difference(
    snapshotter: Layered, lower: int | None, upper: int | None, cancelled: Cancel = None
) -> int | None:
    """See `Snapshotter.difference`."""
    if lower == upper:
        return None
    below, above = snapshotter.layers(lower), snapshotter.layers(upper)
    if above[: len(below)] == below and upper is not None:
        at: int | None = None
        for layer in above[len(below) :]:
            at = stack(snapshotter, at, layer, cancelled)
        return at
    old, new = snapshotter.tree(lower), snapshotter.tree(upper)
    active = snapshotter.prepare(None)
    try:
        applier = Applier(snapshotter, active, new, set(), cancelled)
        applier.apply(tree_changes(old, new, None))
        applier.finish([snapshotter.committed.files(each) for each in snapshotter.chain(upper)])
        if applier.deleted:
            with open(os.path.dirname(active.upper) + b"/" + DELETED, "wb") as file:
                file.write(b"".join(path + b"\0" for path in applier.deleted))
        return active.commit()
    finally:
        active.abort()


def with_deletions(changes: Iterator[Change], directory: bytes) -> Iterator[Change]:
    """`changes` and the deletions noted in a snapshot's directory, in the order of changes."""
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
    """Whether the origin's directory over `parent` is what applying its changes would give: it was made over
    nothing, so that each entry is a change, has no whiteouts and opaque marks, and the root, which is no part of
    a layer, is the same."""
    from pybuild.runtime.snapshots.contents import attributes

    snapshots = snapshotter.committed
    if snapshots.parent(origin) is not None or os.path.exists(snapshots.directory(origin) + b"/" + DELETED):
        return False
    mine, below = snapshots.files(origin), snapshots.files(parent)
    one, other = os.lstat(mine), os.lstat(below)
    if (one.st_mode, one.st_uid, one.st_gid) != (other.st_mode, other.st_uid, other.st_gid):
        return False
    return attributes(mine) == attributes(below) and not _marked(mine, snapshotter.opaque)


def _marked(layer: bytes, opaque: str) -> bool:
    """Whether anything below a layer's directory is a whiteout or an opaque directory."""
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
    """Applies the changes that lead to state `source` to a snapshot being made. Inodes in `apart` are copied,
    not linked."""

    def __init__(
        self,
        snapshotter: Layered,
        active: Active,
        source: Tree,
        apart: set[tuple[int, int]],
        cancelled: Cancel,
    ) -> None:
        self._snapshotter = snapshotter
        self._active = active
        self._source = source
        self._apart = apart
        self._cancelled = cancelled
        self._directories: dict[bytes, int] = {b"": os.lstat(active.upper).st_mtime_ns}
        self._made: dict[tuple[int, int], bytes] = {}
        self._linked = False
        self.deleted: list[bytes] = []
        """Paths of the deletions, in order."""

    def apply(self, changes: Iterable[Change]) -> None:
        from pybuild.runtime.snapshots.upper import hide

        for change in changes:
            if self._cancelled is not None and self._cancelled():
                raise Cancelled
            self._lead(change.path.rpartition(b"/")[0])
            if change.kind == "delete":
                hide(self._snapshotter, self._active, change.path)
                self.deleted.append(change.path)
                continue
            assert change.real is not None
            assert change.stat is not None
            if stat.S_ISDIR(change.stat.st_mode):
                self._directory(change.path, change.real, change.stat)
            else:
                self._leaf(change.path, change.real, change.stat)

    def finish(self, layers: Iterable[bytes]) -> None:
        """Give directories their times; note which layers files were linked from."""
        from pybuild.runtime.snapshots.hardlinks import note_links

        for path, mtime in reversed(self._directories.items()):
            real = self._active.upper + b"/" + path if path else self._active.upper
            try:
                os.utime(real, ns=(mtime, mtime), follow_symlinks=False)
            except FileNotFoundError:
                continue  # only led to deletions of what was not there
        if self._linked:
            note_links(os.path.dirname(self._active.upper), layers)

    def _lead(self, path: bytes) -> None:
        """Have directory `path`, which leads to a change, and those above it."""
        if path in self._directories:
            return
        self._lead(path.rpartition(b"/")[0])
        node = self._source.lstat(path)
        assert node is not None
        self._directory(path, node.real, node.stat)

    def _directory(self, path: bytes, real: bytes, found: os.stat_result) -> None:
        from pybuild.runtime.snapshots.copies import copy_metadata
        from pybuild.runtime.snapshots.upper import make_directory

        copy_metadata(real, found, make_directory(self._snapshotter, self._active, path))
        self._directories[path] = found.st_mtime_ns

    def _leaf(self, path: bytes, real: bytes, found: os.stat_result) -> None:
        from pybuild.runtime.snapshots.copies import copy_entry, link_entry
        from pybuild.runtime.snapshots.upper import replace

        target = replace(self._snapshotter, self._active, path)
        inode = (found.st_dev, found.st_ino)
        earlier = self._made.get(inode) if found.st_nlink > 1 else None
        if earlier is not None and link_entry(earlier, target):
            return
        if (
            not self._snapshotter.plain
            and stat.S_ISREG(found.st_mode)
            and inode not in self._apart
            and link_entry(real, target)
        ):
            self._linked = True
        else:
            copy_entry(real, found, target)
        if found.st_nlink > 1:
            self._made[inode] = target
