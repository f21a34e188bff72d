"""The snapshotter of indexes, with what it needs to read layers."""

from __future__ import annotations

from pybuild.runtime.image.decompression import pull_decompressed
from pybuild.runtime.snapshots.indexing import IndexSnapshotter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.content.store import Store


def open_indexes(store: Store) -> IndexSnapshotter:
    """Return the snapshotter of a store's indexes."""
    return IndexSnapshotter(store, lambda file, name: pull_decompressed(file, name=name))
