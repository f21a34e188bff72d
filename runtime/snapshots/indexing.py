"""Snapshots as lists of entries over contents: for builds that may neither mount nor give files their owners.

    snapshots/ID/index   the diff (`index.py`)
    snapshots/ID/data    contents of files, one after another
    snapshots/ID/layer   the uncompressed layer that contents lie in, once they were read

Nothing of a pulled layer is written to the disk but its index: contents are read from its blob, which stays in the
store as long as the snapshot.
"""

from __future__ import annotations

import os
from hashlib import sha256

from pybuild.runtime.snapshots.committed import (
    CommittedSnapshots,
    CommittedSnapshotter,
    SnapshotError,
    files_missing,
)
from pybuild.runtime.snapshots.index import (
    NAME,
    OPAQUE,
    STREAM,
    TIME_ONLY,
    Index,
    IndexDamaged,
    decode,
    layer_of,
)
from pybuild.runtime.snapshots.indexactive import DATA, IndexActive
from pybuild.runtime.snapshots.indexstates import applied, empty
from pybuild.runtime.snapshots.indextree import IndexNode, IndexTree
from pybuild.runtime.snapshots.types import INDEX, Change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from io import FileIO
    from typing import TypeAlias

    from pybuild.runtime.content.store import Store
    from pybuild.runtime.snapshots.committed import Cancel
    from pybuild.runtime.snapshots.index import Directory, Place
    from pybuild.runtime.snapshots.types import Active, Node

    Decompressed: TypeAlias = Callable[[FileIO, str], Callable[[], bytes]]

LAYER = b"layer"
KEPT = 64
"""The most states to keep in memory."""


class IndexSnapshotter(CommittedSnapshotter):
    """Snapshots as indexes; implements `types.Snapshotter`. They can't be mounted, and their files have no places on
    the disk."""

    name = INDEX
    plain = True

    __slots__ = ("_decompressed", "_roots")

    def __init__(self, store: Store, decompressed: Decompressed) -> None:
        """`decompressed` returns a function that gives the next bytes of a compressed file, b"" at its end; its
        second argument names the file in errors."""
        super().__init__(CommittedSnapshots(store, self.name, files=NAME))
        self._decompressed = decompressed
        self._roots: dict[int, Directory] = {}

    def prepare(self, parent: int | None) -> IndexActive:
        below = self._root(parent)
        room = self.committed.room()
        os.mkdir(room)
        return IndexActive(self, parent, room, below)

    def tree(self, snapshot: int | None) -> IndexTree:
        return IndexTree(self._root(snapshot), self.open)

    def active_tree(self, active: Active) -> IndexTree:
        assert isinstance(active, IndexActive)
        return IndexTree(active.root, active.open)

    def mount(self, snapshot: int | None) -> AbstractContextManager[bytes]:
        raise SnapshotError("a state of the snapshotter index can't be mounted")

    def trusted(self, snapshot: int) -> bool:
        return super().trusted(snapshot) and all(map(self._readable, self.chain(snapshot)))

    def remove(self, snapshots: Iterable[int]) -> list[int]:
        removed = super().remove(snapshots)
        for snapshot in removed:
            self._roots.pop(snapshot, None)
        return removed

    def _lay_over(self, parent: int | None, origin: int, cancelled: Cancel) -> int:
        from pybuild.runtime.snapshots.indexstacking import lay_over

        return lay_over(self, parent, origin, cancelled)

    def _lay_difference(self, lower: int | None, upper: int | None, cancelled: Cancel) -> int:
        from pybuild.runtime.snapshots.indexstacking import lay_difference

        return lay_difference(self, lower, upper, cancelled)

    def _top(self, snapshot: int) -> Node:
        return IndexNode(b"", self._root(snapshot), self.open)

    # Reading

    def index(self, snapshot: int) -> Index:
        """Read the index of a snapshot. Raises IndexDamaged, SnapshotError."""
        path = self._path(snapshot, NAME)
        try:
            with open(path, "rb") as file:
                return decode(file.read(), path, snapshot)
        except FileNotFoundError as failure:
            raise files_missing(snapshot) from failure

    def open(self, place: Place) -> int:
        """Open the file that contents of a committed snapshot lie in. Raises OSError, UserError."""
        assert place.snapshot is not None
        if place.kind == STREAM:
            return self._open_layer(place.snapshot)
        return os.open(self._path(place.snapshot, DATA), os.O_RDONLY | os.O_CLOEXEC)

    def take_over(self, active: IndexActive, directory: bytes) -> None:
        """Add the content of a directory on the disk to a state under construction."""
        from pybuild.runtime.snapshots.indexedfiles import take_over

        take_over(active, directory)

    def _root(self, snapshot: int | None) -> Directory:
        if snapshot is None:
            return empty()
        known = self._roots.get(snapshot)
        if known is not None:
            return known
        missing: list[int] = []
        at: int | None = snapshot
        while at is not None and (known := self._roots.get(at)) is None:
            missing.append(at)
            at = self.committed.parent(at)
        root = known if at is not None and known is not None else empty()
        if len(self._roots) >= KEPT:
            self._roots.clear()
        for each in reversed(missing):
            root = self._roots[each] = applied(root, self.index(each))
        return root

    def _changes(self, snapshot: int, *, times: bool) -> Iterator[Change]:
        for record in self.index(self.committed.origin(snapshot)).records:
            if record.entry is None:
                yield Change("delete", record.path)
            elif times or not record.flags & TIME_ONLY:
                node = IndexNode(record.path, record.entry, self.open)
                yield Change("add", record.path, node, opaque=bool(record.flags & OPAQUE))

    # Layers that contents lie in

    def _readable(self, snapshot: int) -> bool:
        """Report whether the contents in a snapshot's layer can be read."""
        try:
            layer = layer_of(self._path(snapshot, NAME))
        except (OSError, IndexDamaged):
            return False
        return (
            not layer
            or os.path.exists(self._path(snapshot, LAYER))
            or self._blob(snapshot, layer) is not None
        )

    def _open_layer(self, snapshot: int) -> int:
        path = self._path(snapshot, LAYER)
        try:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            pass
        layer = layer_of(self._path(snapshot, NAME))
        blob = self._blob(snapshot, layer)
        if blob is None:
            raise files_missing(snapshot)
        if blob == layer:  # it is not compressed
            return os.open(self.committed.store.blobs.path(blob), os.O_RDONLY | os.O_CLOEXEC)
        self._decompress(blob, layer, path)
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def _blob(self, snapshot: int, layer: str) -> str | None:
        """The digest of a blob in the store that holds the layer of a snapshot."""
        store = self.committed.store
        rows = store.query("SELECT digest FROM layer WHERE snapshot = ? AND diff_id = ?", snapshot, layer)
        return next(
            (digest for digest in map(str, (row[0] for row in rows)) if store.blobs.has(digest)), None
        )

    def _decompress(self, blob: str, layer: str, path: bytes) -> None:
        """Write the bytes of a layer to a file of a snapshot. Two processes that do it at once do the same."""
        from pybuild.runtime.content.blobs import DigestMismatch

        room = self.committed.room()
        value = sha256()
        with (
            open(self.committed.store.blobs.path(blob), "rb", buffering=0) as file,
            open(room, "wb", buffering=0) as out,
        ):
            pull = self._decompressed(file, f"layer {blob}")
            while piece := pull():
                value.update(piece)
                view = memoryview(piece)
                while view:
                    view = view[out.write(view) :]
        digest = "sha256:" + value.hexdigest()
        if digest != layer:
            raise DigestMismatch(f"layer {blob}, uncompressed,", layer, digest)
        os.rename(room, path)

    def _path(self, snapshot: int, name: bytes) -> bytes:
        return self.committed.directory(snapshot) + b"/" + name
