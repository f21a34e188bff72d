"""The records of a build's vertices, with the layers of their results, as an exported cache holds them."""

from __future__ import annotations

from pybuild.compiler.graph import walk
from pybuild.runtime.cache.cacheconfig import Entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pybuild.compiler.graph import Edge
    from pybuild.runtime.cache.creation import CreationTimes
    from pybuild.runtime.cache.records import Records
    from pybuild.runtime.image.compression import Compression
    from pybuild.runtime.image.descriptor import Descriptor
    from pybuild.runtime.image.layers import Layers
    from pybuild.runtime.snapshots.types import Snapshotter


class Collector:
    """Collects cache records after a solve. `keys` are the cache keys of the solved vertices, by digest."""

    def __init__(
        self,
        keys: Mapping[str, str],
        records: Records,
        snapshotter: Snapshotter,
        layers: Layers,
        creation: CreationTimes,
        cancelled: Callable[[], bool],
    ) -> None:
        self._keys = keys
        self._records = records
        self._snapshotter = snapshotter
        self._layers = layers
        self._creation = creation
        self._cancelled = cancelled

    def collect(
        self,
        edges: Sequence[Edge],
        finals: Sequence[int | None],
        compression: Compression,
        *,
        full: bool,
        force: bool = False,
    ) -> list[Entry]:
        """Return the records of the vertices beneath the solved `edges`, whose snapshots are `finals`.

        Without `full`, only records whose results are part of the final states: they need no layers but the images'.
        `force` recompresses layers that have another compression. Raises UserError, Cancelled.
        """
        exported = {id for final in finals if final is not None for id in self._snapshotter.chain(final)}
        layers: dict[int, list[Descriptor]] = {}

        def chain(snapshot: int | None) -> list[Descriptor] | None:
            if snapshot is not None and snapshot not in layers:
                layers[snapshot] = self._layers.layers(
                    snapshot, compression, force=force, cancelled=self._cancelled
                )
            return None if snapshot is None else layers[snapshot]

        entries = []
        for vertex in walk(edges):
            key = self._keys.get(vertex.digest)
            record = self._records.read(key) if key is not None else None
            if record is None:
                continue
            snapshots = [id for id in record.results if id is not None]
            if full or exported.issuperset(snapshots):
                # The highest number is the snapshot that was made last.
                created = self._creation.describe(max(snapshots))[0] if snapshots else None
                results = [chain(id) for id in record.results]
                entries.append(Entry(record.key, record.op, record.content, results, created or ""))
        return entries
