"""Progress as data: BuildKit's SolveStatus records, and the observer every producer speaks to.

Times are seconds since the epoch (`time.time()`); digests name vertices.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.compiler.graph import Edge
    from pybuild.lang.diagnostics import Diagnostic


class VertexEvent:
    """The state of one vertex, sent again on each change: known, started, completed (perhaps `cached` or with
    an `error` text). `failure` is the exception, if it was raised in this process."""

    __slots__ = ("cached", "completed", "digest", "error", "failure", "group", "inputs", "name", "started")

    def __init__(
        self,
        digest: str,
        name: str,
        inputs: Sequence[str] = (),
        *,
        started: float | None = None,
        completed: float | None = None,
        cached: bool = False,
        error: str = "",
        group: str = "",
        failure: BaseException | None = None,
    ) -> None:
        self.digest = digest
        self.name = name
        self.inputs = tuple(inputs)
        self.started = started
        self.completed = completed
        self.cached = cached
        self.error = error
        self.group = group
        self.failure = failure


class StatusEvent:
    """The progress of one piece of a vertex's work: `id` names it ("sha256:… extracting", "exporting
    layers"); `current` and `total` are bytes, `total` is 0 when unknown."""

    __slots__ = ("completed", "current", "id", "started", "timestamp", "total", "vertex")

    def __init__(
        self,
        vertex: str,
        id: str,
        *,
        current: int = 0,
        total: int = 0,
        timestamp: float = 0.0,
        started: float | None = None,
        completed: float | None = None,
    ) -> None:
        self.vertex = vertex
        self.id = id
        self.current = current
        self.total = total
        self.timestamp = timestamp
        self.started = started
        self.completed = completed


class Observer:
    """A receiver of progress, called from any thread. Every method does nothing here; a display overrides
    them."""

    def start(self) -> None:
        """The process has entered the build's namespaces: threads may be started."""

    def known(self, edges: Sequence[Edge]) -> None:
        """The edges are about to be solved."""

    def vertex(self, event: VertexEvent) -> None: ...

    def status(self, event: StatusEvent) -> None: ...

    def log(self, vertex: str, stream: int, data: bytes) -> None:
        """A step has written output: stream 1 is stdout, 2 stderr; `data` arrives unchanged and complete."""

    def warning(self, vertex: str, diagnostic: Diagnostic) -> None: ...

    def notice(self, text: str) -> None:
        """There is a line for the user that belongs to no vertex, such as about a downgrade."""

    def waiting(self, text: str) -> None:
        """The build waits for another process. By default this is a notice."""
        self.notice(text)


class Tracked:
    """A vertex of the runtime's own work (`[internal] load .dockerignore`, `exporting to image`), used as a
    context: started on entering, completed on leaving, with the error if one passes through."""

    __slots__ = ("_begun", "_observer", "digest", "name", "started")

    def __init__(self, observer: Observer, name: str, digest: str | None = None) -> None:
        from hashlib import sha256

        self._observer = observer
        self.name = name
        self.digest = digest or "sha256:" + sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
        self.started = 0.0
        self._begun: dict[str, float] = {}

    def __enter__(self) -> Tracked:
        from time import time

        self.started = time()
        self._observer.vertex(VertexEvent(self.digest, self.name, started=self.started))
        return self

    def progress(self, id: str, current: int, total: int, *, done: bool = False) -> None:
        from time import time

        when = time()
        self._observer.status(
            StatusEvent(
                self.digest,
                id,
                current=current,
                total=total,
                timestamp=when,
                started=self._begun.setdefault(id, when),
                completed=when if done else None,
            )
        )

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        from time import time

        text = "" if error is None else str(error) or type(error).__name__
        event = VertexEvent(
            self.digest, self.name, started=self.started, completed=time(), error=text, failure=error
        )
        self._observer.vertex(event)
