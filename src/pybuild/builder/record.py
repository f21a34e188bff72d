"""The record of a build's progress: its steps, with their output."""

from __future__ import annotations

import threading
from collections import deque

from attrs import frozen

from pybuild.runtime.progress.observer import Observer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.runtime.progress.observer import StatusEvent, VertexEvent

KEPT = 64 << 20
"""Bytes of one step's output that are kept; the earliest are dropped."""


@frozen
class Step:
    """A vertex of a build. `status` is `cached`, `ran`, `failed`, `running` or `waiting`; times are seconds since
    the epoch, None where it never started or ended. `log` is its output without the first `lost` bytes."""

    name: str
    status: str
    digest: str
    started: float | None = None
    completed: float | None = None
    error: str = ""
    log: str = ""
    lost: int = 0
    inputs: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """The seconds that it ran; 0 if it did not run, or has not ended."""
        if self.started is None or self.completed is None:
            return 0.0
        return max(self.completed - self.started, 0.0)


class _Log:
    """The output of one vertex: pieces with their stream, in order."""

    __slots__ = ("lost", "pieces", "size")

    def __init__(self) -> None:
        self.pieces: deque[tuple[int, bytes]] = deque()
        self.size = 0
        self.lost = 0

    def add(self, stream: int, data: bytes, limit: int) -> None:
        self.pieces.append((stream, data))
        self.size += len(data)
        # The latest piece stays, however long it is.
        while self.size > limit and len(self.pieces) > 1:
            _, gone = self.pieces.popleft()
            self.size -= len(gone)
            self.lost += len(gone)

    def data(self, stream: int | None = None) -> bytes:
        return b"".join(data for number, data in self.pieces if stream in (None, number))


class Record(Observer):
    """An observer that records one build, readable at any time, also after the build failed. Thread-safe."""

    def __init__(self, *, kept: int = KEPT) -> None:
        """Keep `kept` bytes of each step's output."""
        self._kept = kept
        self._guard = threading.Lock()
        self._events: dict[str, VertexEvent] = {}
        self._logs: dict[str, _Log] = {}
        self.warnings: list[Diagnostic] = []
        self.notices: list[str] = []

    def vertex(self, event: VertexEvent) -> None:
        with self._guard:
            earlier = self._events.get(event.digest)
            announced = event.started is None and event.completed is None
            # An announcement that comes after the start must not undo it.
            if earlier is None or not announced:
                self._events[event.digest] = event

    def log(self, vertex: str, stream: int, data: bytes) -> None:
        with self._guard:
            self._logs.setdefault(vertex, _Log()).add(stream, data, self._kept)

    def warning(self, vertex: str, diagnostic: Diagnostic) -> None:
        self.warnings.append(diagnostic)

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def output(self, digest: str, stream: int) -> bytes:
        """Return the vertex's output on stream 1 (stdout) or 2 (stderr)."""
        with self._guard:
            log = self._logs.get(digest)
            return b"" if log is None else log.data(stream)

    @property
    def steps(self) -> tuple[Step, ...]:
        """All vertices, in the order they became known."""
        with self._guard:
            return tuple(_step(event, self._logs.get(event.digest)) for event in self._events.values())


def _step(event: VertexEvent, log: _Log | None) -> Step:
    return Step(
        event.name,
        _status(event),
        event.digest,
        started=event.started,
        completed=event.completed,
        error=event.error,
        log="" if log is None else log.data().decode("utf-8", "replace"),
        lost=0 if log is None else log.lost,
        inputs=event.inputs,
    )


def _status(event: VertexEvent) -> str:
    if event.error:
        return "failed"
    if event.completed is not None:
        return "cached" if event.cached else "ran"
    return "waiting" if event.started is None else "running"


class ObserverPair(Observer):
    """Forwards everything to two observers, one after the other."""

    def __init__(self, first: Observer, second: Observer) -> None:
        self._observers = first, second

    def _forward(self, call: Callable[[Observer], None]) -> None:
        for observer in self._observers:
            call(observer)

    def start(self) -> None:
        self._forward(lambda observer: observer.start())

    def vertex(self, event: VertexEvent) -> None:
        self._forward(lambda observer: observer.vertex(event))

    def status(self, event: StatusEvent) -> None:
        self._forward(lambda observer: observer.status(event))

    def log(self, vertex: str, stream: int, data: bytes) -> None:
        self._forward(lambda observer: observer.log(vertex, stream, data))

    def warning(self, vertex: str, diagnostic: Diagnostic) -> None:
        self._forward(lambda observer: observer.warning(vertex, diagnostic))

    def notice(self, text: str) -> None:
        self._forward(lambda observer: observer.notice(text))
