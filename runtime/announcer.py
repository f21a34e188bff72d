"""Progress events of vertices from the solver's: started, completed, cached."""

from __future__ import annotations

from time import time

from pybuild.compiler.graph import walk
from pybuild.compiler.names import name_of
from pybuild.runtime.progress.observer import VertexEvent
from pybuild.runtime.solver.types import Observer as SolverObserver

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pybuild.compiler.graph import Edge, Vertex
    from pybuild.runtime.progress.observer import Observer


class Announcer(SolverObserver["Vertex"]):
    """Translates the solver's events into progress events. Calls `on_run` once, when a vertex with inputs runs."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self.on_run: Callable[[], None] | None = None
        self._started: dict[str, float] = {}
        self._completed: set[str] = set()

    def rest(self, edges: Sequence[Edge]) -> None:
        """Announce all vertices beneath solved edges that the solver did not visit: they lie under a hit, and count
        as cached."""
        for vertex in walk(edges):
            if vertex.digest not in self._completed:
                self.completed(vertex, True, None)

    def started(self, vertex: Vertex) -> None:
        when = self._started[vertex.digest] = time()
        self._observer.vertex(_event(vertex, started=when))
        if vertex.inputs and self.on_run is not None:
            on_run, self.on_run = self.on_run, None
            on_run()

    def completed(self, vertex: Vertex, cached: bool, error: BaseException | None) -> None:
        when = time()
        self._completed.add(vertex.digest)
        text = "" if error is None else str(error) or type(error).__name__
        started = self._started.get(vertex.digest, when)
        if error is None or vertex.digest in self._started:
            event = _event(vertex, started=started, completed=when, cached=cached, error=text, failure=error)
            self._observer.vertex(event)


def _event(
    vertex: Vertex,
    *,
    started: float | None = None,
    completed: float | None = None,
    cached: bool = False,
    error: str = "",
    failure: BaseException | None = None,
) -> VertexEvent:
    group = vertex.metadata.progress_group
    return VertexEvent(
        vertex.digest,
        name_of(vertex),
        [edge.vertex.digest for edge in vertex.inputs],
        started=started,
        completed=completed,
        cached=cached,
        error=error,
        group=group.id if group is not None else "",
        failure=failure,
    )
