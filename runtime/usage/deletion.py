"""Delete single records of a store's usage while builds go on.

Each deletion is one transaction, or happens under the lock of what is deleted, and looks again at whether the
record is in use: a build that began to use it since the records were listed keeps it.
"""

from __future__ import annotations

import os

from pybuild.runtime.content import snapshot_table
from pybuild.runtime.content.directories import leave_guard
from pybuild.runtime.content.locks import try_lock
from pybuild.runtime.content.reachable import reachable
from pybuild.runtime.snapshots.committed import CommittedSnapshots
from pybuild.runtime.snapshots.removal import remove_tree
from pybuild.runtime.usage import records as usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pybuild.runtime.content.directories import Directory
    from pybuild.runtime.content.store import Store
    from pybuild.runtime.snapshots.types import Snapshotter
    from pybuild.runtime.usage.records import UsageRecord


class Deletion:
    """Deletes records of one store. `snapshots` lists the snapshots deleted so far."""

    __slots__ = ("_images", "_snapshotter", "_store", "snapshots")

    def __init__(self, store: Store, snapshotter: Snapshotter) -> None:
        self._store = store
        self._snapshotter = snapshotter
        self._images: tuple[frozenset[str], set[str]] = (frozenset(), set())
        self.snapshots: list[int] = []

    def delete(self, records: Sequence[UsageRecord]) -> Iterator[UsageRecord]:
        """Delete the records that are still free, and yield each once it is deleted. All snapshots among them go in
        one transaction."""
        ids = self._delete_snapshots([one for one in records if one.kind == usage.SNAPSHOT])
        for record in records:
            if record.id in ids if record.kind == usage.SNAPSHOT else _DELETERS[record.kind](self, record):
                yield record

    def _delete_snapshots(self, records: Sequence[UsageRecord]) -> set[str]:
        """Delete snapshots with the blobs of their layers, and return the ids of the deleted records."""
        if not records:
            return set()
        numbers = [int(one.name) for one in records]
        marks = ",".join("?" * len(numbers))
        # Read before the snapshots are deleted: their rows in `layer` go with them.
        layers = self._store.query(f"SELECT DISTINCT digest FROM layer WHERE snapshot IN ({marks})", *numbers)
        removed = self._remove(numbers)
        self.snapshots += removed
        if removed:
            for (digest,) in layers:
                self._unlink_blob(str(digest))
        return {usage.snapshot_id(number) for number in removed}

    def _remove(self, numbers: Sequence[int]) -> list[int]:
        """Remove snapshots, also those made by another snapshotter than the one that works here. Returns the
        removed ones."""
        others = snapshot_table.kinds(self._store) - {self._snapshotter.name}
        removed = list(self._snapshotter.remove(numbers))
        for kind in others:
            removed += CommittedSnapshots(self._store, kind).remove(numbers)
        return removed

    def _delete_directory(self, record: UsageRecord) -> bool:
        assert record.directory is not None
        return take_away(self._store, record.directory)

    def _delete_blob(self, record: UsageRecord) -> bool:
        deleted = self._unlink_blob(record.name)
        if deleted:
            self._store.bump()
        return deleted

    def _unlink_blob(self, digest: str) -> bool:
        """Delete a blob unless a build has leased it or a layer or an image has it. Returns false if nothing was
        deleted."""
        store = self._store
        with store.transaction() as db:
            for query in (
                "SELECT 1 FROM lease WHERE kind = 'blob' AND ref = ?",
                "SELECT 1 FROM layer WHERE digest = ?",
            ):
                if db.execute(query, (digest,)).fetchone() is not None:
                    return False
            # What images lead to takes reading manifests: it is kept until the set of images changes.
            images = frozenset(str(row[0]) for row in db.execute("SELECT digest FROM image"))
            if images != self._images[0]:
                self._images = images, reachable(store.blobs, images)
            if digest in self._images[1]:
                return False
            db.execute("DELETE FROM resolved WHERE digest = ?", (digest,))
            try:
                os.unlink(store.blobs.path(digest))
            except FileNotFoundError:
                return False
        return True

    def _delete_part(self, record: UsageRecord) -> bool:
        lock = try_lock(self._store.path("ingest", record.name.removesuffix(".part") + ".lock"))
        if lock is None:
            return False
        with lock:
            try:
                os.unlink(self._store.path("ingest", record.name))
            except FileNotFoundError:
                return False
            finally:
                lock.remove()
        return True


_DELETERS: dict[str, Callable[[Deletion, UsageRecord], bool]] = {
    usage.DIRECTORY: Deletion._delete_directory,
    usage.BLOB: Deletion._delete_blob,
    usage.PART: Deletion._delete_part,
}


def take_away(store: Store, directory: Directory) -> bool:
    """Delete a directory that outlives builds, and its row. Returns false if somebody uses it."""
    aside = os.path.join(store.work, os.urandom(8).hex())
    guard = lock = None
    try:
        guard = try_lock(store.path(directory.guard)) if directory.guard else None
        if directory.guard and guard is None:
            return False
        lock = try_lock(store.path(directory.lock))
        if lock is None:
            return False
        with store.transaction() as db:
            db.execute("DELETE FROM directory WHERE path = ?", (directory.path,))
        # Renamed while its lock is held, deleted afterwards: nobody waits for a large tree to go.
        os.rename(store.path(directory.path), aside)
    except FileNotFoundError:  # gone meanwhile
        pass
    finally:
        if lock is not None:
            lock.remove()
        if guard is not None:
            leave_guard(guard)
    _remove_empty(store, os.path.dirname(directory.path))
    remove_tree(aside)
    return True


def _remove_empty(store: Store, path: str) -> None:
    """Remove a directory and its parents inside the store, up to the first that is not empty."""
    while os.path.dirname(path):
        try:
            os.rmdir(store.path(path))
        except OSError:
            return
        path = os.path.dirname(path)
