"""Twins: the same state as snapshots of two kinds, for a store that builds with and without privilege use.

A snapshot that another kind of snapshotter made can't be mounted, or read, as one's own. Its *twin* is made of it:
an index and its contents are unpacked, an ordinary snapshot is read from the blob of its layer or, where this process
may read all of it, from its files. The twin lies over the twin of the parent, has the same identity and the same
layers, and is made once. What can't be had in this way is made again by the build, as if it were not there.
"""

from __future__ import annotations

import errno

from pybuild.lang.diagnostics import UserError
from pybuild.runtime.content import snapshot_table
from pybuild.runtime.image.layerreading import read_layer_blob
from pybuild.runtime.snapshots.choose import may_mount
from pybuild.runtime.snapshots.committed import CommittedSnapshots
from pybuild.runtime.snapshots.types import INDEX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybuild.runtime.content.store import Store
    from pybuild.runtime.snapshots.types import Snapshotter

# No permission, no id for an owner in the user namespace, and files that are gone.
_LACKING = frozenset({errno.EACCES, errno.EPERM, errno.EINVAL, errno.ENOENT})
_COPIED = (
    "INSERT OR IGNORE INTO layer SELECT ?, variant, diff_id, digest, size, media_type, compressor FROM layer "
    "WHERE snapshot = ?"
)


def usable(store: Store, snapshotter: Snapshotter, snapshot: int) -> int | None:
    """Return a trusted snapshot of the snapshotter's kind that is the same state: `snapshot` itself, or its twin,
    which is leased. None if there is none and none can be made."""
    if snapshotter.trusted(snapshot):
        return snapshot
    return _Twins(store, snapshotter).twin(snapshot) if foreign(store, snapshotter, snapshot) else None


def foreign(store: Store, snapshotter: Snapshotter, snapshot: int) -> bool:
    """Report whether a snapshot is there and of a kind that can have a twin among those of the snapshotter."""
    row = snapshot_table.find(store, snapshot)
    return row is not None and row.kind != snapshotter.name and INDEX in (row.kind, snapshotter.name)


class _Twins:
    """The snapshots of one snapshotter that are other kinds' states. Thread-safe."""

    __slots__ = ("_snapshotter", "_store")

    def __init__(self, store: Store, snapshotter: Snapshotter) -> None:
        self._store = store
        self._snapshotter = snapshotter

    def twin(self, snapshot: int) -> int | None:
        """Return the trusted twin of a snapshot of another kind, leased; None if there is none and none can be
        made."""
        known = self._known(snapshot)
        if known is None and (self._snapshotter.name == INDEX or may_mount()):
            known = self._made(snapshot)
        return known

    def _known(self, snapshot: int) -> int | None:
        rows = self._store.query(
            "SELECT twin FROM twin WHERE snapshot = ? AND kind = ?", snapshot, self._snapshotter.name
        )
        for (twin,) in rows:
            number = int(str(twin))
            self._store.lease("snapshot", str(number))
            if self._snapshotter.trusted(number):
                return number
        return None

    def _made(self, snapshot: int) -> int | None:
        """Make the twins of a chain, from the lowest missing one on."""
        row = snapshot_table.find(self._store, snapshot)
        assert row is not None
        self._store.lease("snapshot", str(snapshot))
        source = _Source(self._store, row.kind)
        if not source.trusted(snapshot):
            return None
        twin: int | None = None
        for each in source.snapshots.chain(snapshot):
            origin = source.snapshots.origin(each)
            layer = None if origin == each else self.twin(origin)
            if layer is None and origin != each:
                return None
            twin = self._one(source, each, twin, layer)
            if twin is None:
                return None
        return twin

    def _one(self, source: _Source, snapshot: int, parent: int | None, layer: int | None) -> int | None:
        lock = self._store.lock(f"twin-{snapshot}-{self._snapshotter.name}")
        assert lock is not None
        try:
            # Another process may have made it while this one waited for the lock.
            twin = self._known(snapshot)
            if twin is None:
                try:
                    twin = self._copied(source, snapshot, parent, layer)
                except UserError:
                    return None  # what is damaged here is no reason to fail: the build makes it again
                except OSError as error:
                    if error.errno not in _LACKING:
                        raise
                    return None
                if twin is not None:
                    self._keep(snapshot, twin, source.snapshots.kind)
            return twin
        finally:
            lock.remove()

    def _copied(self, source: _Source, snapshot: int, parent: int | None, layer: int | None) -> int | None:
        if layer is not None:
            return self._snapshotter.stack(parent, layer)
        if source.snapshots.kind == INDEX:
            from pybuild.runtime.image.indexunpack import unpack_index

            return unpack_index(self._store, snapshot, self._snapshotter, parent)
        if self._snapshotter.name != INDEX:
            return None
        return self._from_blob(snapshot, parent) or self._from_files(source, snapshot, parent)

    def _from_blob(self, snapshot: int, parent: int | None) -> int | None:
        """Read the layer of an ordinary snapshot that was pulled or exported."""
        rows = self._store.query(
            "SELECT digest, diff_id FROM layer WHERE snapshot = ? AND variant NOT LIKE '%@%'", snapshot
        )
        for digest, diff_id in ((str(row[0]), str(row[1])) for row in rows):
            if self._store.blobs.has(digest):
                self._store.lease("blob", digest)
                active = self._snapshotter.prepare(parent)
                try:
                    read_layer_blob(self._store, self._snapshotter, active, digest, diff_id)
                    return active.commit()
                except UserError:
                    continue
                finally:
                    active.abort()
        return None

    def _from_files(self, source: _Source, snapshot: int, parent: int | None) -> int | None:
        """Read the files of an ordinary snapshot, if this process may read them all."""
        from pybuild.runtime.snapshots.choose import readable
        from pybuild.runtime.snapshots.indexactive import IndexActive
        from pybuild.runtime.snapshots.indexedfiles import lay_files

        ordinary = readable(self._store, source.snapshots.kind)
        if ordinary is None:
            return None
        active = self._snapshotter.prepare(parent)
        assert isinstance(active, IndexActive)
        try:
            lay_files(active, ordinary, snapshot)
            return active.commit()
        finally:
            active.abort()

    def _keep(self, snapshot: int, twin: int, kind: str) -> None:
        """Record two twins. They have the same layers, so that neither makes them anew."""
        identity = snapshot_table.identity(self._store, snapshot)
        with self._store.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO twin VALUES (?, ?, ?)", (snapshot, self._snapshotter.name, twin)
            )
            db.execute("INSERT OR REPLACE INTO twin VALUES (?, ?, ?)", (twin, kind, snapshot))
            db.execute(_COPIED, (twin, snapshot))
            if identity is not None:
                snapshot_table.keep_identity(db, twin, identity)
            snapshot_table.describe_as(db, twin, snapshot)


class _Source:
    """The snapshots of another kind."""

    __slots__ = ("_readable", "snapshots")

    def __init__(self, store: Store, kind: str) -> None:
        self._readable: Callable[[int], bool]
        if kind == INDEX:
            from pybuild.runtime.image.indexes import open_indexes

            indexes = open_indexes(store)
            self.snapshots = indexes.committed
            self._readable = indexes.trusted
        else:
            self.snapshots = CommittedSnapshots(store, kind)
            self._readable = self.snapshots.trusted

    def trusted(self, snapshot: int) -> bool:
        return self._readable(snapshot)
