"""Progress of a worker as BuildKit's StatusResponse messages.

Events are gathered for a moment and sent together; all that is said of a vertex stays in its order.
"""

from __future__ import annotations

import threading
import time

from pybuild.compiler.gateway import FrontendWarning
from pybuild.compiler.graph import walk
from pybuild.compiler.names import name_of
from pybuild.compiler.protos.control_pb2 import StatusResponse
from pybuild.runtime.bridge.statuses import message_of
from pybuild.runtime.progress.observer import Observer, StatusEvent, VertexEvent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from google.protobuf.timestamp_pb2 import Timestamp

    from pybuild.compiler.graph import Edge, ProgressGroup
    from pybuild.lang.diagnostics import Diagnostic

GATHERED = 0.05
"""Seconds that an event may wait for others."""
LARGEST = 512 << 10
"""Bytes of events after which they are sent at once."""
PIECE = 1 << 20
"""The most bytes of a step's output in one message."""
LEVEL = 1


class Progress(Observer):
    """Gives messages to `send`, from any thread. `close` sends the rest."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._guard = threading.Lock()
        self._sending = threading.Lock()
        self._message = StatusResponse()
        self._size = 0
        self._wanted = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._groups: dict[str, ProgressGroup] = {}
        self._known: set[str] = set()
        self._waiting: dict[str, VertexEvent] = {}
        self._begun: dict[str, float] = {}
        self.warnings = 0

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True, name="progress")
        self._thread.start()

    def known(self, edges: Sequence[Edge]) -> None:
        """Vertices are told of before they start, so that a client knows how many there are."""
        for vertex in walk(edges):
            group = vertex.metadata.progress_group
            if group is not None:
                self._groups[group.id] = group
            if vertex.digest in self._known:
                continue
            self._known.add(vertex.digest)
            inputs = [edge.vertex.digest for edge in vertex.inputs]
            self.vertex(VertexEvent(vertex.digest, name_of(vertex), inputs, group=group.id if group else ""))

    def vertex(self, event: VertexEvent) -> None:
        error = message_of(event.failure) if event.failure is not None else event.error
        with self._guard:
            begun = self._begun.get(event.digest)
            vertex = self._message.vertexes.add(
                digest=event.digest,
                inputs=event.inputs,
                name=valid_text(event.name),
                cached=event.cached and begun is None,
                error=valid_text(error),
            )
            set_time(vertex.started, event.started if begun is None else begun)
            set_time(vertex.completed, event.completed)
            if event.group:
                group = self._groups.get(event.group)
                vertex.progressGroup.id = event.group
                if group is not None:
                    vertex.progressGroup.name, vertex.progressGroup.weak = group.name, group.weak
            self._started(event)
            self._size += 200
        self._wanted.set()

    def _started(self, event: VertexEvent) -> None:
        if event.started is None:
            self._waiting[event.digest] = event
        else:
            self._waiting.pop(event.digest, None)

    def status(self, event: StatusEvent) -> None:
        waiting = self._waiting.get(event.vertex)
        if waiting is not None:
            self._begin(waiting, event.started or event.timestamp or time.time())
        with self._guard:
            name = valid_text(event.id)
            status = self._message.statuses.add(
                ID=name, vertex=event.vertex, name=name, current=event.current, total=event.total
            )
            set_time(status.timestamp, event.timestamp or time.time())
            set_time(status.started, event.started)
            set_time(status.completed, event.completed)
            self._size += 200
        self._wanted.set()

    def _begin(self, waiting: VertexEvent, when: float) -> None:
        """A vertex is at work before the solver runs it: for the content of a directory, which is its key. It counts
        as started, and is not cached."""
        self._begun[waiting.digest] = when
        self.vertex(
            VertexEvent(waiting.digest, waiting.name, waiting.inputs, started=when, group=waiting.group)
        )

    def log(self, vertex: str, stream: int, data: bytes) -> None:
        timestamp = time.time()
        for start in range(0, len(data), PIECE):
            with self._guard:
                entry = self._message.logs.add(
                    vertex=vertex, stream=stream, msg=bytes(data[start : start + PIECE])
                )
                set_time(entry.timestamp, timestamp)
                self._size += len(entry.msg) + 100
                full = self._size > LARGEST
            if full:
                self.flush()
        self._wanted.set()

    def warning(self, vertex: str, diagnostic: Diagnostic) -> None:
        title = diagnostic.title
        if diagnostic.code:
            place = f" (line {diagnostic.labels[0].span.line})" if diagnostic.labels else ""
            title = f"{diagnostic.code}: {title}{place}"
        self.warn(
            vertex,
            title.encode(),
            level=diagnostic.rank if isinstance(diagnostic, FrontendWarning) else LEVEL,
            detail=[text.encode() for _, text in diagnostic.notes],
            url=diagnostic.url,
            diagnostic=diagnostic,
        )

    def warn(
        self,
        vertex: str,
        short: bytes,
        *,
        level: int = LEVEL,
        detail: Iterable[bytes] = (),
        url: str = "",
        diagnostic: Diagnostic | None = None,
    ) -> None:
        with self._guard:
            warning = self._message.warnings.add(
                vertex=vertex, level=level, short=short, detail=list(detail), url=url
            )
            if diagnostic is not None and diagnostic.labels:
                source = diagnostic.labels[0].span.source
                warning.info.filename, warning.info.data = source.name, source.text.encode()
                for label in diagnostic.labels:
                    if label.span.source is source:
                        span = warning.ranges.add()
                        span.start.line, span.start.character = label.span.line, label.span.column - 1
                        span.end.line, span.end.character = label.span.end_line, label.span.end_column - 1
            self.warnings += 1
            self._size += 200
        self._wanted.set()

    def notice(self, text: str) -> None:
        """BuildKit has no messages that belong to no vertex: they are one of their own."""
        from pybuild.runtime.progress.observer import Tracked

        with Tracked(self, f"[pybuild] {text}"):
            pass

    def waiting(self, text: str) -> None:
        """No message of BuildKit's says it: builds of one daemon wait for one another all the time."""

    def flush(self) -> None:
        """Messages go in the order of their events."""
        with self._sending:
            with self._guard:
                message, self._message = self._message, StatusResponse()
                self._size = 0
                self._wanted.clear()
            data = message.SerializeToString()
            if data:
                self._send(data)

    def close(self) -> None:
        """Idempotent."""
        self._closed.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()
        self.flush()

    def _run(self) -> None:
        while not self._closed.is_set():
            self._wanted.wait()
            # Not a sleep: `close` need not wait for it.
            self._closed.wait(GATHERED)
            self.flush()


def valid_text(text: str) -> str:
    """The text as a field of a message: what is no Unicode, as of a path, is replaced."""
    return text.encode("utf-8", "replace").decode()


def set_time(into: Timestamp, seconds: float | None) -> None:
    """Leave it unset for None."""
    if seconds is not None:
        # A float of seconds since the epoch is exact to microseconds only.
        into.FromNanoseconds(round(seconds * 1_000_000) * 1000)
