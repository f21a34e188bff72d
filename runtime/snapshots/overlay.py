"""Overlay snapshots: a diff directory over a chain of parents, mounted by the kernel."""

from __future__ import annotations

import errno
import os
import stat

from pybuild.lang.diagnostics import Diagnostic
from pybuild.runtime.snapshots.committed import (
    CommittedSnapshots,
    CommittedSnapshotter,
    SnapshotError,
    files_missing,
)
from pybuild.runtime.snapshots.removal import Discarder
from pybuild.runtime.snapshots.tree import ActiveTree, LayeredTree, topmost
from pybuild.runtime.snapshots.types import Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from pybuild.runtime.content.store import Store
    from pybuild.runtime.snapshots.committed import Cancel
    from pybuild.runtime.snapshots.mounts import Mounted, Overlay
    from pybuild.runtime.snapshots.types import Active, Change

TRUSTED, USER = "trusted.overlay.opaque", "user.overlay.opaque"
KEPT_TREES = 64
"""Trees to keep at most: each remembers the directories it has been asked about."""


class OverlaySnapshotter(CommittedSnapshotter):
    """Snapshots as overlay layers; implements `types.Snapshotter`. With `userxattr` marks are `user.*` attributes,
    as a user namespace needs. The two forms are different kinds of snapshots, since the kernel reads only one form
    in a mount."""

    plain = False

    __slots__ = ("_discarder", "_trees", "name", "opaque", "userxattr")

    def __init__(self, store: Store, *, userxattr: bool = False, name: str = "") -> None:
        self.name = name or ("overlay-user" if userxattr else "overlay")
        super().__init__(CommittedSnapshots(store, self.name))
        self.userxattr = userxattr
        self.opaque = USER if userxattr else TRUSTED
        self._trees: dict[int | None, LayeredTree] = {}
        self._discarder = Discarder()

    def prepare(self, parent: int | None) -> OverlayActive:
        """Begin a snapshot over `parent`. Raises SnapshotError when there is no such parent."""
        from pybuild.runtime.snapshots.copies import copy_metadata

        lower = () if parent is None else self.tree(parent).layers
        room = self.committed.room()
        os.mkdir(room)
        upper = room + b"/fs"
        os.mkdir(upper)
        os.chmod(upper, 0o755)
        if parent is not None:
            # The root of an overlay has the metadata of its top layer.
            root = self.committed.files(parent)
            try:
                copy_metadata(root, os.lstat(root), upper)
            except FileNotFoundError as failure:
                raise files_missing(parent) from failure
        return OverlayActive(self, parent, room, lower)

    def tree(self, snapshot: int | None) -> LayeredTree:
        tree = self._trees.get(snapshot)
        if tree is None:
            tree = LayeredTree(self._layers(snapshot) or [self.committed.empty()], self.opaque)
            if len(self._trees) >= KEPT_TREES:
                self._trees.clear()
            self._trees[snapshot] = tree
        return tree

    def active_tree(self, active: Active) -> LayeredTree:
        assert isinstance(active, OverlayActive)
        return ActiveTree(active.upper, self.tree(active.parent), active.lower, self.opaque)

    def mount(self, snapshot: int | None) -> AbstractContextManager[bytes]:
        if snapshot is None:
            return self._mounted_empty()
        return self._mounted(self.committed.chain(snapshot), None)

    def remove(self, snapshots: Iterable[int]) -> list[int]:
        removed = super().remove(snapshots)
        self._trees.clear()
        return removed

    def close(self) -> None:
        """Wait until the work directories of overlays are removed. That takes as long as a small step, so it
        happens in the background until here."""
        self._discarder.wait()

    def _lay_over(self, parent: int | None, origin: int, cancelled: Cancel) -> int:
        from pybuild.runtime.snapshots.stacking import lay_over

        return lay_over(self, parent, origin, cancelled)

    def _lay_difference(self, lower: int | None, upper: int | None, cancelled: Cancel) -> int:
        from pybuild.runtime.snapshots.stacking import lay_difference

        return lay_difference(self, lower, upper, cancelled)

    def _top(self, snapshot: int) -> Node:
        root = self.committed.files(snapshot)
        return Node(b"", root, os.lstat(root))

    def _layers(self, snapshot: int | None) -> Sequence[bytes]:
        """The layers of a snapshot, the top one first; taken from its parent's tree if that is kept."""
        if snapshot is None:
            return ()
        parent = self.committed.parent(snapshot)
        below = None if parent is None else self._trees.get(parent)
        layer = self.committed.files(snapshot)
        if below is not None:
            return (layer, *(each for each in below.layers if each != layer))
        return topmost([self.committed.files(each) for each in reversed(self.committed.chain(snapshot))])

    def _changes(self, snapshot: int, *, times: bool) -> Iterator[Change]:
        from pybuild.runtime.snapshots.differences import overlay_changes
        from pybuild.runtime.snapshots.stacking import with_deletions

        origin = self.committed.origin(snapshot)
        parent = self.committed.parent(origin)
        below = None if parent is None else self.tree(parent)
        changes = overlay_changes(self.committed.files(origin), below, self.opaque, times=times)
        return with_deletions(changes, self.committed.directory(origin))

    def _mounted(self, chain: list[int], active: OverlayActive | None) -> Mounted:
        """Mount the state of `chain`, with the upper directory of `active` on top if given."""
        from pybuild.runtime.snapshots.flatten import mountable
        from pybuild.runtime.snapshots.mounts import Mounted, Overlay

        lower = mountable(self.committed, chain, self._limit(chain), self.opaque)
        if active is None or not lower:
            lower.append(
                self.committed.empty()
            )  # the kernel refuses an overlay of fewer than two directories
        place = self.committed.room()
        target, work = place + b"/merged", place + b"/work"
        for directory in (place, target, work):
            os.mkdir(directory)
        after = [lambda: self._discarder.discard(place)]
        if active is None:
            plan = Overlay(self.committed.base, lower, userxattr=self.userxattr)
        else:
            plan = Overlay(
                self.committed.base, lower, active.upper, work, userxattr=self.userxattr, volatile=True
            )
            after.append(active.left)
        try:
            after.insert(0, self.attach(plan, target))
        except OSError as failure:
            self._discarder.discard(place)
            raise _mount_refused(self, len(lower), failure) from failure
        if active is not None:
            active.entered()
        return Mounted(target, writable=active is not None, after=after)

    def _mounted_empty(self) -> Mounted:
        from pybuild.runtime.snapshots.mounts import Mounted, bind

        target = self.committed.room()
        os.mkdir(target)
        bind(self.committed.empty(), target, readonly=True)
        return Mounted(target, after=[lambda: os.rmdir(target)])

    def attach(self, plan: Overlay, target: bytes) -> Callable[[], None]:
        """Mount `plan` at `target` and return the action for after its unmounting. Raises OSError."""
        from pybuild.runtime.snapshots.mounts import overlay

        overlay(plan, target)
        return _nothing

    def _limit(self, chain: list[int]) -> int:
        """The number of lower directories that one mount takes, with one left for the empty directory."""
        from pybuild.runtime.snapshots import mounts

        if len(chain) <= 64 or mounts.takes_layers_one_by_one():
            return mounts.LOWER_LIMIT - 1
        # By mount(2) all paths must fit a page: `NUMBER/fs:` for each layer, and the rest of the options.
        rest = 512 + 2 * len(self.committed.store.work)
        return min(mounts.LOWER_LIMIT - 1, (mounts.OPTIONS_LIMIT - rest) // (len(str(max(chain))) + 4))


def _nothing() -> None:
    pass


def _mount_refused(snapshotter: OverlaySnapshotter, layers: int, failure: OSError) -> SnapshotError:
    from pybuild.runtime.snapshots.choose import forget

    forget(snapshotter.committed.store)
    notes = [
        ("with", failure.strerror or str(failure)),
        ("help", "run the build again, or set PYBUILD_SNAPSHOTTER=copy to build without mounting layers"),
    ]
    title = f"cannot mount {layers} layers with the snapshotter {snapshotter.name}"
    return SnapshotError(Diagnostic(title, notes=notes))


class OverlayActive:
    """An overlay snapshot under construction; implements `types.Active`. `lower` are the layers beneath its upper
    directory, top first.

    `known` is kept by `upper.py`: by path of a directory, the lower directories that show through."""

    __slots__ = ("_mounts", "_owner", "_room", "known", "lower", "parent", "upper")

    def __init__(
        self, owner: OverlaySnapshotter, parent: int | None, room: bytes, lower: Sequence[bytes]
    ) -> None:
        self._owner = owner
        self._room = room
        self._mounts = 0
        self.parent = parent
        self.upper = room + b"/fs"
        self.lower = tuple(lower)
        self.known: dict[bytes, tuple[bytes, ...]] = {}

    def mount(self) -> AbstractContextManager[bytes]:
        """Mount the merged root, writable. Raises SnapshotError; leaving raises OSError(EBUSY) if something still
        uses it, and then the snapshot must be aborted."""
        return self._owner._mounted(self._owner.chain(self.parent), self)

    def entered(self) -> None:
        """Count a mount."""
        self._mounts += 1

    def left(self) -> None:
        """Count an unmount. A step may have changed anything, so nothing is known of directories."""
        self._mounts -= 1
        self.known.clear()

    def forget(self, path: bytes) -> None:
        """Drop what is known of directory `path` and the directories below it."""
        if not path:
            self.known.clear()
        if path not in self.known:
            return  # a directory is looked up by way of its parent, so none below is known either
        below = path + b"/"
        for each in [each for each in self.known if each == path or each.startswith(below)]:
            del self.known[each]

    def whiteout(self, path: bytes) -> None:
        """Hide `path` of the parent. Its directory is in `upper`, which must not have `path` itself. Does nothing
        where the parent shows nothing."""
        from pybuild.runtime.snapshots.upper import hides_something

        # The kernel lists a whiteout that hides nothing, as a character device.
        if hides_something(self._owner, self, path):
            os.mknod(self.upper + b"/" + path, stat.S_IFCHR, 0)
            self.forget(path)

    def set_opaque(self, path: bytes) -> None:
        """Make directory `path`, which is in `upper`, hide the parent's content."""
        os.setxattr(self.upper + b"/" + path, self._owner.opaque, b"y", follow_symlinks=False)
        self.forget(path)

    def commit(self, *, origin: int | None = None, unmatched: bool = False) -> int:
        if self._mounts:
            raise OSError(errno.EBUSY, "a mounted snapshot can't be committed", os.fsdecode(self.upper))
        return self._owner.committed.add(self.parent, self._room, origin, unmatched=unmatched)

    def abort(self) -> None:
        from pybuild.runtime.snapshots.removal import remove_tree

        remove_tree(self._room)
