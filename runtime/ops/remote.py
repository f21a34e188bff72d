"""Handlers of source ops that fetch from elsewhere: HTTP files, git repositories, single blobs."""

from __future__ import annotations

from pybuild.compiler.ops import SourceOp
from pybuild.runtime.ops.results import Snapshot
from pybuild.runtime.progress.observer import Tracked, VertexEvent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pybuild.compiler.graph import Vertex
    from pybuild.runtime.ops.results import Result
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.solver.types import Cancellation
    from pybuild.runtime.sources.blob import BlobSource
    from pybuild.runtime.sources.git import GitSource
    from pybuild.runtime.sources.http import HttpSource


class HttpHandler:
    """Files at http(s) addresses. `source` returns the source that downloads them."""

    recorded = True
    limited = False
    pure_key = False

    def __init__(self, source: Callable[[], HttpSource], observer: Observer) -> None:
        self._source = source
        self._observer = observer

    def op_key(self, vertex: Vertex, cancellation: Cancellation) -> str:
        return self._source().key(_op(vertex), cancellation, _report(vertex, self._observer))

    def outside(self, vertex: Vertex) -> str:
        return ""

    def content(self, vertex: Vertex, index: int, result: Result, cancellation: Cancellation) -> str | None:
        return None

    def run(self, vertex: Vertex, inputs: Sequence[Result], cancellation: Cancellation) -> Sequence[Result]:
        report = _report(vertex, self._observer)
        return [Snapshot(self._source().snapshot(_op(vertex), cancellation, report))]


class BlobHandler:
    """Single blobs of registries and of the client's content stores."""

    recorded = True
    limited = False
    pure_key = False

    def __init__(self, source: BlobSource, observer: Observer) -> None:
        self._source = source
        self._observer = observer

    def op_key(self, vertex: Vertex, cancellation: Cancellation) -> str:
        return self._source.key(_op(vertex))

    def outside(self, vertex: Vertex) -> str:
        return ""

    def content(self, vertex: Vertex, index: int, result: Result, cancellation: Cancellation) -> str | None:
        return None

    def run(self, vertex: Vertex, inputs: Sequence[Result], cancellation: Cancellation) -> Sequence[Result]:
        tracked = Tracked(self._observer, vertex.name, vertex.digest)
        return [Snapshot(self._source.snapshot(_op(vertex), cancellation, tracked))]


class GitHandler:
    """Git repositories at a commit. `source` returns the source that fetches them."""

    recorded = True
    limited = False
    pure_key = False

    def __init__(self, source: Callable[[], GitSource], observer: Observer) -> None:
        self._source = source
        self._observer = observer

    def op_key(self, vertex: Vertex, cancellation: Cancellation) -> str:
        return self._source().key(_op(vertex), cancellation)

    def outside(self, vertex: Vertex) -> str:
        return ""

    def content(self, vertex: Vertex, index: int, result: Result, cancellation: Cancellation) -> str | None:
        return None

    def run(self, vertex: Vertex, inputs: Sequence[Result], cancellation: Cancellation) -> Sequence[Result]:
        def log(data: bytes) -> None:
            self._observer.log(vertex.digest, 2, data)

        return [Snapshot(self._source().snapshot(_op(vertex), cancellation, log))]


def _op(vertex: Vertex) -> SourceOp:
    assert isinstance(vertex.op, SourceOp)
    return vertex.op


def _report(vertex: Vertex, observer: Observer) -> Callable[[int, int], None]:
    """Return a callback that reports a download's progress. As the key of a file is its bytes, a download may begin
    before the vertex runs, and starts the vertex then."""
    tracked = Tracked(observer, vertex.name, vertex.digest)
    started: list[float] = []

    def report(current: int, total: int) -> None:
        if not started:
            from time import time

            started.append(time())
            observer.vertex(VertexEvent(vertex.digest, vertex.name, started=started[0]))
        tracked.progress("downloading", current, total, done=0 < total == current)

    return report
