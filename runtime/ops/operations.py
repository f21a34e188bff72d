"""The solver's delegate: executes LLB vertices by handlers, and records results in the store."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial

from pybuild.compiler.descriptions import LOCKED
from pybuild.compiler.ops import Op, SourceOp
from pybuild.lang.diagnostics import Cancelled, Diagnostic, Label, UserError
from pybuild.runtime.cache.records import Record, Records, digest_of
from pybuild.runtime.ops.labelling import labels_of
from pybuild.runtime.ops.origin import CONTENT, KEY, RUN, Origin
from pybuild.runtime.ops.results import Snapshot, snapshots
from pybuild.runtime.solver.types import Input
from pybuild.runtime.sources.errors import SourceFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pybuild.compiler.graph import Vertex
    from pybuild.runtime.cache.imported import ImportedRecords
    from pybuild.runtime.content.store import Store
    from pybuild.runtime.ops.handlers import Handler
    from pybuild.runtime.ops.results import Result
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.solver.types import Cancellation


class UnsupportedOp(UserError):
    """The graph holds an op that this runtime does not execute."""

    def __init__(self, vertex: Vertex, kind: str) -> None:
        labels = [Label(span) for span in vertex.metadata.spans[:1]]
        super().__init__(
            Diagnostic(f"this version does not execute LLB ops of kind `{kind}`", labels=labels),
            help="`pybuild graph --format llb` prints the graph for BuildKit's `buildctl build`",
        )


class Operations:
    """Implements `solver.types.Delegate`. `sources` are handlers of source ops by URL scheme, `kinds` those of
    other ops by type. With `outlasting`, a run goes on for another process that waits for it, though no client here
    does."""

    def __init__(
        self,
        store: Store,
        records: Records,
        sources: Mapping[str, Handler],
        kinds: Mapping[type[Op], Handler],
        observer: Observer,
        *,
        outlasting: bool = False,
    ) -> None:
        self._store = store
        self._records = records
        self._sources = sources
        self._kinds = kinds
        self._observer = observer
        self._outlasting = outlasting
        self._imported: ImportedRecords | None = None
        self._jobs: dict[str, str] = {}
        self._op_keys: dict[str, str] = {}
        self._outsides: dict[str, frozenset[str]] = {}

    def use(self, imported: ImportedRecords) -> None:
        """Look for results in imported caches too."""
        self._imported = imported

    def handler(self, vertex: Vertex) -> Handler:
        """Return the handler of a vertex. Raises UnsupportedOp."""
        op = vertex.op
        if isinstance(op, SourceOp):
            scheme = op.identifier.partition("://")[0]
            if scheme not in self._sources:
                raise UnsupportedOp(vertex, f"source {scheme}://")
            return self._sources[scheme]
        handler = self._kinds.get(type(op))
        if handler is None:
            raise UnsupportedOp(vertex, type(op).__name__.removesuffix("Op").lower())
        return handler

    # The delegate's methods, documented in `solver.types.Delegate`

    def digest(self, vertex: Vertex) -> str:
        return vertex.digest

    def inputs(self, vertex: Vertex) -> Sequence[Input[Vertex]]:
        return [Input(edge.vertex, edge.index) for edge in vertex.inputs]

    def recorded(self, vertex: Vertex) -> bool:
        return self.handler(vertex).recorded

    def ignore_cache(self, vertex: Vertex) -> bool:
        return vertex.metadata.ignore_cache

    def limited(self, vertex: Vertex) -> bool:
        return self.handler(vertex).limited

    def known(self, vertex: Vertex) -> bool:
        from pybuild.runtime.solver.types import Cancellation

        if not self.handler(vertex).pure_key:
            return True
        op = self.op_key(vertex, Cancellation())
        return self._records.known(op) or (self._imported is not None and self._imported.knows(op))

    def op_key(self, vertex: Vertex, cancellation: Cancellation) -> str:
        key = self._op_keys.get(vertex.digest)
        if key is None:
            try:
                key = self._op_keys[vertex.digest] = self.handler(vertex).op_key(vertex, cancellation)
            except Cancelled:
                raise
            except UserError as error:
                _place(error, vertex, KEY)
                raise
        return key

    def lookup(self, vertex: Vertex, key: str) -> Sequence[Result] | None:
        return _snapshots(self._records.lookup(key))

    def find(
        self, vertex: Vertex, key: str, inputs: Sequence[Result], cancellation: Cancellation
    ) -> Sequence[Result] | None:
        if not vertex.inputs:
            return None
        op = self.op_key(vertex, cancellation)
        content = self._content(vertex, inputs, cancellation)

        def digest(record: Record) -> str | None:
            # A view (-1) is gone: its content is not known any more.
            if any(id == -1 for id in record.inputs) or len(record.inputs) != len(inputs):
                return None
            return self._content(vertex, [Snapshot(id) for id in record.inputs], cancellation)

        results = self._records.find(op, content, digest)
        if results is None and self._imported is not None:
            fetched = self._imported.find(vertex, op, content, cancellation)
            results = fetched[1] if fetched is not None else None
        if results is not None:
            self._records.save(key, op, _ids(inputs), results, content)
        return _snapshots(results)

    def elsewhere(
        self, vertex: Vertex, key: str, cancellation: Cancellation
    ) -> Callable[[], Sequence[Result] | None] | None:
        """Return a function that fetches the results of a key from an imported cache, None if no cache has the
        key."""
        if self._imported is None or not self._imported.has(key):
            return None
        return partial(self._imported_results, self._imported, vertex, key, cancellation)

    def _imported_results(
        self, imported: ImportedRecords, vertex: Vertex, key: str, cancellation: Cancellation
    ) -> Sequence[Result] | None:
        fetched = imported.lookup(vertex, key, cancellation)
        if fetched is None:
            return None
        entry, results = fetched
        labels = labels_of(vertex, len(results))
        # The inputs were not loaded, so the record can't name them.
        unknown: list[int | None] = [-1] * len(vertex.inputs)
        self._records.save(key, entry.op, unknown, results, entry.content or None, labels)
        return _snapshots(results)

    def adopt(self, result: Result, cancellation: Cancellation) -> Result:
        if not isinstance(result, Snapshot) or result.id is None:
            return result
        earlier = self._records.earliest(result.id)
        if earlier == result.id or not self._records.hold(earlier):
            return result
        self._records.replace(result.id, earlier)
        return Snapshot(earlier)

    def run(self, vertex: Vertex, inputs: Sequence[Result], cancellation: Cancellation) -> Sequence[Result]:
        if cancellation():
            raise Cancelled
        try:
            return self.handler(vertex).run(vertex, inputs, cancellation)
        except Cancelled:
            raise
        except UserError as error:
            _place(error, vertex, RUN)
            raise

    def save(self, vertex: Vertex, key: str, inputs: Sequence[Result], results: Sequence[Result]) -> None:
        from pybuild.runtime.solver.types import Cancellation

        content = None
        if any(not isinstance(result, Snapshot) for result in inputs):
            # A later build can't read a view again, so its content has to be recorded at once.
            content = self._content(vertex, inputs, Cancellation())
        op = self.op_key(vertex, Cancellation())
        ids = [id for id in _ids(results) if id != -1]
        self._records.save(key, op, _ids(inputs), ids, content, labels_of(vertex, len(ids)))

    @contextmanager
    def job(self, vertex: Vertex, key: str | None, cancellation: Cancellation) -> Iterator[None]:
        if self.ignore_cache(vertex):
            yield  # no lock: another process's result would not be used anyway
            return

        def waiting(holder: str) -> None:
            self._observer.waiting(f"waiting for {holder}, which runs {vertex.name or vertex.digest}")

        name = (key or self._definition(vertex)).partition(":")[2]
        lock = self._store.lock(name, on_wait=waiting, cancelled=cancellation)
        if lock is None:
            raise Cancelled
        self._jobs[vertex.digest] = name
        try:
            yield
        finally:
            del self._jobs[vertex.digest]
            lock.remove()

    def wanted(self, vertex: Vertex) -> bool:
        name = self._jobs.get(vertex.digest) if self._outlasting else None
        return name is not None and self._store.wanted(name)

    # Parts

    def _definition(self, vertex: Vertex) -> str:
        """Return a name for the job of an op without records: the digest of its definition and of the local
        directories beneath it."""
        return digest_of("definition", vertex.digest, *sorted(self._outside(vertex)))

    def _outside(self, vertex: Vertex) -> frozenset[str]:
        """Return what a vertex and those beneath it depend on besides their definitions. Iterative: graphs are
        deep."""
        known, stack = self._outsides, [vertex]
        while stack:
            top = stack[-1]
            missing = [edge.vertex for edge in top.inputs if edge.vertex.digest not in known]
            if missing:
                stack += missing
                continue
            stack.pop()
            own = self.handler(top).outside(top)
            below = [known[edge.vertex.digest] for edge in top.inputs]
            known[top.digest] = frozenset([own] if own else ()).union(*below)
        return known[vertex.digest]

    def _content(self, vertex: Vertex, inputs: Sequence[Result], cancellation: Cancellation) -> str:
        """Return the digest of everything that a vertex reads of its inputs."""
        handler = self.handler(vertex)
        parts = []
        for index, result in enumerate(inputs):
            try:
                part = handler.content(vertex, index, result, cancellation)
            except UserError as error:
                _place(error, vertex, CONTENT, index, inputs)
                raise
            if part is None:
                if isinstance(result, Snapshot):
                    part = f"snapshot {self._records.first_of(result.id)}"
                else:
                    part = result.tree.digest()
            parts.append(part)
        return digest_of("content", *parts)


def _place(
    error: UserError, vertex: Vertex, phase: str, index: int = 0, inputs: Sequence[Result] = ()
) -> None:
    """Record the vertex on an error; add the instruction's span if it has none."""
    if error.origin is None:
        error.origin = Origin(vertex, phase, index, snapshots(inputs))
    diagnostic, spans = error.diagnostic, vertex.metadata.spans
    if spans and not diagnostic.labels:
        error.diagnostic = diagnostic.at(spans[0])
    if isinstance(error, SourceFailed):
        error.locked = vertex.metadata.description.get(LOCKED, "")


def _snapshots(ids: Sequence[int | None] | None) -> Sequence[Result] | None:
    return None if ids is None else [Snapshot(id) for id in ids]


def _ids(results: Sequence[Result]) -> list[int | None]:
    return [result.id if isinstance(result, Snapshot) else -1 for result in results]
