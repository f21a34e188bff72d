"""What a build looks at may be removed by another process at that moment."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.runtime.cache.conftest import Child

from pybuild.compiler.ops import CacheSharing
from pybuild.runtime.cache.records import Records
from pybuild.runtime.content.directories import directories, in_use, is_locked
from pybuild.runtime.content.store import Store
from pybuild.runtime.ops.caches import Caches
from pybuild.runtime.snapshots.copying import CopySnapshotter
from pybuild.runtime.snapshots.types import Change
from pybuild.runtime.usage.deletion import take_away

pytestmark = pytest.mark.root


def test_the_work_directory_is_made_outside_of_transactions(tmp_path: Path) -> None:
    """Who sweeps holds the lock of a directory and waits for the database."""
    with Store.open(str(tmp_path)) as store:
        with pytest.raises(AssertionError), store.transaction():
            assert store.work
        assert store.work
        with store.transaction():
            assert store.work


def made(snapshotter: CopySnapshotter, content: bytes) -> int:
    active = snapshotter.prepare(None)
    Path(os.fsdecode(active.upper), "f").write_bytes(content)
    return active.commit()


class Racing(CopySnapshotter):
    """Another process removes the snapshot `doomed` when it is looked at."""

    doomed = 0

    def changes(self, snapshot: int) -> Iterator[Change]:
        if snapshot == self.doomed:
            CopySnapshotter(self.committed.store).remove([snapshot])
        return super().changes(snapshot)


def test_a_snapshot_that_is_removed_is_no_earlier_one(tmp_path: Path) -> None:
    with Store.open(str(tmp_path)) as store:
        snapshotter = Racing(store)
        snapshotter.doomed, second, third = (made(snapshotter, b"same") for _ in range(3))
        assert Records(store, snapshotter).earliest(third) == second


def test_caches_are_taken_while_they_are_removed(tmp_path: Path) -> None:
    def use() -> int:
        with Store.open(str(tmp_path)) as store:
            caches = Caches(store, CopySnapshotter(store), lambda text: None)
            for _ in range(400):
                held = caches.take(caches.key("c", None, ""), CacheSharing.SHARED, "step", lambda: False)
                assert os.path.isdir(held.path)
                held.release()
        return 400

    Store.open(str(tmp_path)).close()
    child = Child(use)
    removed, ended = 0, threading.Event()
    with Store.open(str(tmp_path)) as store:
        result: list[object] = []

        def wait() -> None:
            try:
                result.append(child.result())
            finally:
                ended.set()

        waiter = threading.Thread(target=wait)
        waiter.start()
        while not ended.wait(0.001):
            removed += sum(take_away(store, one) for one in directories(store) if not in_use(store, one))
        waiter.join()
        assert result == [400]
        assert removed > 1
        assert all(take_away(store, one) for one in directories(store))
        # Directories that one process made while the other removed those above may stay, but nothing in them.
        assert not [name for _, _, names in os.walk(store.path("caches")) for name in names]
        assert not is_locked(store.path("caches", "no"))
