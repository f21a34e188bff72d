"""Indexes for tests that look at mounts: what is mounted is the twin that an ordinary build would make."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from pybuild.runtime.content.store import Store
from pybuild.runtime.image.decompression import pull_decompressed
from pybuild.runtime.image.twins import usable
from pybuild.runtime.snapshots.indexing import IndexSnapshotter
from pybuild.runtime.snapshots.overlay import OverlaySnapshotter


class ShownIndex(IndexSnapshotter):
    def __init__(self, store: Store) -> None:
        super().__init__(store, lambda file, name: pull_decompressed(file, name=name))

    def mount(self, snapshot: int | None) -> AbstractContextManager[bytes]:
        overlay = OverlaySnapshotter(self.committed.store)
        return overlay.mount(None if snapshot is None else self.ordinary(overlay, snapshot))

    def ordinary(self, overlay: OverlaySnapshotter, snapshot: int) -> int:
        twin = usable(self.committed.store, overlay, snapshot)
        assert twin is not None
        return twin

    def over(self, parent: int | None, make: Callable[[OverlaySnapshotter, int | None], int]) -> int:
        """The index of what `make` makes of the ordinary snapshot of `parent`."""
        overlay = OverlaySnapshotter(self.committed.store)
        return self.indexed(make(overlay, None if parent is None else self.ordinary(overlay, parent)))

    def indexed(self, snapshot: int) -> int:
        """The index of an ordinary snapshot."""
        twin = usable(self.committed.store, self, snapshot)
        assert twin is not None
        return twin
