"""Records of caches outside of the store: a result that one of them has is brought as layers, not made.

What can't be brought is made after all: a cache only saves work.
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
    """Those of all caches of a build. Thread-safe once they are added."""

    def __init__(self, store: Store, snapshotter: Snapshotter, observer: Observer) -> None:
        self._store = store
        self._snapshotter = snapshotter
        self._observer = observer
        self._by_key: dict[str, tuple[Entry, Provider]] = {}
        self._by_content: dict[tuple[str, str], tuple[Entry, Provider]] = {}
        self._ops: set[str] = set()

    def add(self, entries: Iterable[Entry], provider: Provider) -> None:
        """`provider` has the blobs of these entries. What an earlier cache has too is taken from that."""
        for one in entries:
            self._ops.add(one.op)
            self._by_key.setdefault(one.key, (one, provider))
            if one.content:
                self._by_content.setdefault((one.op, one.content), (one, provider))

    def knows(self, op: str) -> bool:
        """Whether there is any record of an op."""
        return op in self._ops

    def has(self, key: str) -> bool:
        return key in self._by_key

    def lookup(
        self, vertex: Vertex, key: str, cancellation: Cancellation
    ) -> tuple[Entry, list[int | None]] | None:
        """The record under a key, with the snapshots of its results. Raises Cancelled."""
        return self._bring(vertex, self._by_key.get(key), cancellation)

    def find(
        self, vertex: Vertex, op: str, content: str, cancellation: Cancellation
    ) -> tuple[Entry, list[int | None]] | None:
        """A record of an op that read this content. Raises Cancelled."""
        return self._bring(vertex, self._by_content.get((op, content)), cancellation)

    def _bring(
        self, vertex: Vertex, found: tuple[Entry, Provider] | None, cancellation: Cancellation
    ) -> tuple[Entry, list[int | None]] | None:
        if found is None:
            return None
        entry, provider = found
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
