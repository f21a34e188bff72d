"""What a build has to give to a cache: the records of its vertices, with the layers of their results."""

from __future__ import annotations

from pybuild.compiler.graph import walk
from pybuild.runtime.cache.cacheconfig import Entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.compiler.graph import Edge
    from pybuild.runtime.engine import Engine
    from pybuild.runtime.image.compression import Compression
    from pybuild.runtime.image.descriptor import Descriptor


def collect(
    engine: Engine,
    edges: Sequence[Edge],
    finals: Sequence[int | None],
    compression: Compression,
    *,
    full: bool,
    force: bool = False,
) -> list[Entry]:
    """The records of the vertices beneath solved `edges`, whose snapshots are `finals`. Without `full` only those
    whose results are in the final states: layers of the images, and no others. Raises UserError, Cancelled."""
    keys = engine.cache_keys()
    kept = {below for one in finals if one is not None for below in engine.snapshotter.chain(one)}
    layers: dict[int, list[Descriptor]] = {}

    def chain(snapshot: int | None) -> list[Descriptor] | None:
        if snapshot is not None and snapshot not in layers:
            layers[snapshot] = engine.layers.layers(
                snapshot, compression, force=force, cancelled=engine.cancellation
            )
        return None if snapshot is None else layers[snapshot]

    found = []
    for vertex in walk(edges):
        key = keys.get(vertex.digest)
        record = engine.records.read(key) if key is not None else None
        if record is None:
            continue
        made = [one for one in record.results if one is not None]
        if full or kept.issuperset(made):
            created = engine.made(max(made))[0] if made else None
            results = [chain(one) for one in record.results]
            found.append(Entry(record.key, record.op, record.content, results, created or ""))
    return found
