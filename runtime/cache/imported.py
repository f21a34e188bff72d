"""Records of imported caches: their results are fetched as layers in place of running the op.

A result that can't be fetched is a miss: a cache only saves work.
"""

from __future__ import annotations

from pybuild.compiler.names import name_of
from pybuild.lang.diagnostics import Cancelled, UserError
from pybuild.runtime.image.unpack import unpack
from pybuild.runtime.progress.observer import Tracked
from pybuild.runtime.registry.transfer import Transfer, fetch_blobs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pybuild.compiler.graph import Vertex
    from pybuild.runtime.cache.cacheconfig import Entry
    from pybuild.runtime.content.store import Store
    from pybuild.runtime.image.descriptor import Descriptor
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.registry.transfer import Provider
    from pybuild.runtime.snapshots.types import Snapshotter
    from pybuild.runtime.solver.types import Cancellation


class ImportedRecords:
    """The records of all caches that a build imports. Thread-safe once all are added."""

    def __init__(self, store: Store, snapshotter: Snapshotter, observer: Observer) -> None:
        self._store = store
        self._snapshotter = snapshotter
        self._observer = observer
        self._by_key: dict[str, tuple[Entry, Provider]] = {}
        self._by_content: dict[tuple[str, str], tuple[Entry, Provider]] = {}
        self._ops: set[str] = set()

    def add(self, entries: Iterable[Entry], provider: Provider) -> None:
        """Add a cache's entries, whose blobs `provider` has. An earlier cache's entry under the same key stays."""
        for entry in entries:
            self._ops.add(entry.op)
            self._by_key.setdefault(entry.key, (entry, provider))
            if entry.content:
                self._by_content.setdefault((entry.op, entry.content), (entry, provider))

    def knows(self, op: str) -> bool:
        """Report whether there is any record of an op."""
        return op in self._ops

    def has(self, key: str) -> bool:
        """Report whether there is a record under a key."""
        return key in self._by_key

    def lookup(
        self, vertex: Vertex, key: str, cancellation: Cancellation
    ) -> tuple[Entry, list[int | None]] | None:
        """Fetch the results of the record under a key. Return the record and their snapshots, None for a miss. Raises
        Cancelled."""
        return self._fetch(vertex, self._by_key.get(key), cancellation)

    def find(
        self, vertex: Vertex, op: str, content: str, cancellation: Cancellation
    ) -> tuple[Entry, list[int | None]] | None:
        """Fetch the results of a record of `op` that read this content, like `lookup`. Raises Cancelled."""
        return self._fetch(vertex, self._by_content.get((op, content)), cancellation)

    def _fetch(
        self, vertex: Vertex, source: tuple[Entry, Provider] | None, cancellation: Cancellation
    ) -> tuple[Entry, list[int | None]] | None:
        if source is None:
            return None
        entry, provider = source
        try:
            with Tracked(self._observer, f"importing layers of {name_of(vertex)}") as tracked:
                return entry, [
                    self._snapshot(chain, provider, tracked, cancellation) for chain in entry.results
                ]
        except Cancelled:
            raise
        except UserError as error:
            self._observer.notice(f"a result of an imported cache could not be brought: {error}")
            return None

    def _snapshot(
        self,
        chain: Sequence[Descriptor] | None,
        provider: Provider,
        tracked: Tracked,
        cancellation: Cancellation,
    ) -> int | None:
        if not chain:
            return None
        transfer = Transfer(tracked, cancellation)

        # One layer at a time, when `unpack` needs it: a parent that is in the store already needs no blob.
        def wait(layer: Descriptor) -> None:
            fetch_blobs(self._store, provider, [layer], transfer)

        return unpack(
            self._store,
            self._snapshotter,
            chain,
            wait_blob=wait,
            tracked=tracked,
            cancelled=cancellation,
            notice=self._observer.notice,
        )
