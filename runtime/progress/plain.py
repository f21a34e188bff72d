"""Numbered lines in BuildKit's form, for logs and for streams that are no terminal.

    #5 [2/4] RUN make             a vertex comes to the front
    #5 0.123 output line          seconds since the vertex started
    #5 sha256:… 1.05MB / 3.2MB    a piece of its work
    #5 ...                        it goes to the back, still running
    #5 DONE 0.3s                  or CACHED, CANCELED, ERROR: …

One vertex is at the front; lines of the others wait until it completes or has been there for long. The end of
a vertex is shown at once. Nothing is dropped: waiting lines are shown later with their own times.
"""

from __future__ import annotations

from time import time

from pybuild.lang.diagnostics import visible
from pybuild.runtime.progress.amounts import bytes_text
from pybuild.runtime.progress.display import Display
from pybuild.runtime.progress.terminal import harmless, last_state, obeys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from threading import Timer
    from typing import TextIO

    from pybuild.runtime.progress.observer import StatusEvent, VertexEvent

FRONT_SECONDS = 5.0
"""Seconds that a vertex stays in front at least while others wait; one that writes more stays longer."""
STATUS_STEP = 0.05
STATUS_SECONDS = 5.0
"""A piece of work is shown again after this part of its total or after these seconds."""
LONGEST_LINE = 64 << 10
"""Bytes of an unfinished line that are held back; a longer line is shown in pieces."""
CANCELED = ("cancelled", "context canceled")
"""Endings of the error text of a vertex that was stopped because another one failed."""


class _Vertex:
    """A vertex: its state, and the lines and statuses that are not shown yet."""

    __slots__ = ("completed", "front", "name", "number", "partial", "started", "statuses", "told", "waiting")

    def __init__(self, name: str) -> None:
        self.name = name
        self.number = 0
        self.started: float | None = None
        self.completed: VertexEvent | None = None
        self.waiting: list[str] = []
        self.statuses: dict[str, StatusEvent] = {}
        self.told: dict[str, StatusEvent] = {}
        self.partial: dict[int, tuple[float, bytes]] = {}
        self.front = 0

    @property
    def pending(self) -> bool:
        return bool(self.waiting or self.statuses)


class Plain(Display):
    """The plain display. Its only thread is a timer that brings a waiting vertex to the front."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._terminal = obeys(stream)
        self._vertices: dict[str, _Vertex] = {}
        self._open: dict[str, _Vertex] = {}
        self._numbers = 0
        self._current: _Vertex | None = None
        self._since = 0.0
        self._begun = False
        self._threads = False
        self._stopped = False
        self._timer: Timer | None = None

    def start(self) -> None:
        super().start()
        with self._lock:
            self._threads = True
            self._arm()

    def stop(self, error: BaseException | None = None) -> None:
        with self._lock:
            if self._stopped:
                return
            self._stopped = True
            if self._timer is not None:
                self._timer.cancel()
            for one in self._vertices.values():
                self._end_partial(one)
                if one.pending:
                    self._show(one)
            if error is not None and self._begun:
                self._write("\n")

    def vertex(self, event: VertexEvent) -> None:
        with self._lock:
            if self._stopped:
                return
            one = self._named(event.digest, event.name)
            if not one.number:
                one.name = _one_line(event.name)
            if event.completed is not None:
                self._open.pop(event.digest, None)
                self._complete(one, event)
            elif event.started is not None:
                self._open[event.digest] = one
                one.completed = None
                one.started = event.started
                if self._current is None:
                    self._show(one)

    def status(self, event: StatusEvent) -> None:
        with self._lock:
            if self._stopped:
                return
            one = self._named(event.vertex, event.vertex)
            if not _worth_telling(one.told.get(event.id), event):
                return
            one.statuses[event.id] = event
            self._advance(one)

    def log(self, vertex: str, stream: int, data: bytes) -> None:
        with self._lock:
            if self._stopped:
                return
            one = self._named(vertex, vertex)
            when, partial = one.partial.pop(stream, (0.0, b""))
            *lines, rest = (partial + data).split(b"\n")
            moment = time()
            for line in lines:
                self._take(one, when or moment, line)
                when = 0.0
            while len(rest) > LONGEST_LINE:
                cut = _boundary(rest, LONGEST_LINE)
                self._take(one, when or moment, rest[:cut])
                when, rest = 0.0, rest[cut:]
            if rest:
                one.partial[stream] = (when or moment, rest)
            if one.waiting:
                self._advance(one)

    def notice(self, text: str) -> None:
        with self._lock:
            if self._stopped:
                return
            self._put_back()
            lines = "".join(f"#0 {line}\n" for line in visible(text).split("\n"))
            self._write(("\n" if self._begun else "") + lines)
            self._begun = True

    def _named(self, digest: str, name: str) -> _Vertex:
        one = self._vertices.get(digest)
        if one is None:
            one = self._vertices[digest] = _Vertex(_one_line(name))
        return one

    def _take(self, one: _Vertex, when: float, line: bytes) -> None:
        seconds = max(when - (one.started or when), 0.0)
        text = line.removesuffix(b"\r").decode("utf-8", "replace")
        if self._terminal:
            text = harmless(last_state(text))
        one.waiting.append(f"{seconds:.3f} {text}")

    def _complete(self, one: _Vertex, event: VertexEvent) -> None:
        """Show the end of a vertex, whichever is in front; then bring up the vertex with the most waiting
        lines."""
        if one.completed is not None and one.completed.completed == event.completed:
            return
        one.started = event.started if event.started is not None else one.started
        one.completed = event
        self._end_partial(one)
        canceled = event.error.endswith(CANCELED)
        # Never shown, and never begun: nothing to tell.
        if canceled and one.started is None:
            return
        self._show(one)
        self._write(f"#{one.number} {_outcome(one, event, canceled)}\n")
        self._current = None
        rest = [other for other in self._open.values() if other.pending or not other.number]
        if rest:
            self._show(max(rest, key=lambda other: len(other.waiting) + len(other.statuses)))

    def _end_partial(self, one: _Vertex) -> None:
        for when, line in one.partial.values():
            self._take(one, when, line)
        one.partial.clear()

    def _advance(self, one: _Vertex) -> None:
        if self._current is None or one is self._current or time() >= self._due():
            self._show(one)
        else:
            self._arm()

    def _due(self) -> float:
        """Return the time at which another vertex may take the front. The larger the front vertex's share of
        the output, the later."""
        front = self._current
        if front is None:
            return 0.0
        others = sum(len(other.waiting) for other in self._open.values() if other is not front)
        # A vertex that writes most of the output keeps the front longer, up to 20 times FRONT_SECONDS.
        share = front.front / (front.front + others) if others else 0.0
        return self._since + FRONT_SECONDS / (1.0 - min(share, 0.95))

    def _show(self, one: _Vertex) -> None:
        """Bring a vertex to the front and write its waiting lines."""
        if one is not self._current:
            self._put_back()
            if not one.number:
                self._numbers += 1
                one.number = self._numbers
            self._write(("\n" if self._begun else "") + f"#{one.number} {one.name}\n")
            self._begun = True
            self._current = one
            self._since = time()
            one.front = 0
        lines = [*map(_status_text, one.statuses.values()), *one.waiting]
        self._write("".join(f"#{one.number} {line}\n" for line in lines))
        one.front += len(lines)
        one.told.update(one.statuses)
        one.statuses.clear()
        one.waiting.clear()

    def _put_back(self) -> None:
        if self._current is not None:
            self._write(f"#{self._current.number} ...\n")
            self._current = None

    def _arm(self) -> None:
        """Start the timer that shows waiting lines when no further event does."""
        if not self._threads or self._timer is not None or self._stopped:
            return
        if not any(one.pending for one in self._vertices.values()):
            return
        from threading import Timer

        self._timer = Timer(max(self._due() - time(), 0.0) + 0.01, self._turn)
        # A build that ends without `stop` must not wait for the timer.
        self._timer.daemon = True
        self._timer.start()

    def _turn(self) -> None:
        with self._lock:
            self._timer = None
            if self._stopped:
                return
            waiting = [one for one in self._vertices.values() if one.pending and one is not self._current]
            if waiting and time() >= self._due():
                self._show(max(waiting, key=lambda one: len(one.waiting)))
            self._arm()


def _worth_telling(shown: StatusEvent | None, event: StatusEvent) -> bool:
    if shown is None:
        return True
    if event.completed is not None:
        return shown.completed is None or shown.current != event.current
    if event.total and (event.current - shown.current) / event.total >= STATUS_STEP:
        return True
    return event.timestamp - shown.timestamp >= STATUS_SECONDS


def _status_text(event: StatusEvent) -> str:
    parts = [_one_line(event.id)]
    if event.total:
        parts.append(f"{bytes_text(event.current)} / {bytes_text(event.total)}")
    elif event.current:
        parts.append(bytes_text(event.current))
    end = event.timestamp if event.completed is None else event.completed
    if event.started is not None and end - event.started > 0.01:
        parts.append(f"{end - event.started:.1f}s")
    if event.completed is not None:
        parts.append("done")
    return " ".join(parts)


def _outcome(one: _Vertex, event: VertexEvent, canceled: bool) -> str:
    if canceled:
        return "CANCELED"
    if event.error:
        return f"ERROR: {_one_line(event.error)}"
    if event.cached:
        return "CACHED"
    if one.started is None or event.completed is None:
        return "DONE"
    return f"DONE {max(event.completed - one.started, 0.0):.1f}s"


def _one_line(name: str) -> str:
    return visible(" ".join(name.split("\n")))


def _boundary(data: bytes, limit: int) -> int:
    """Return the last start of a UTF-8 character at or before `limit`, if there is one nearby."""
    for cut in range(limit, limit - 4, -1):
        if data[cut] & 0xC0 != 0x80:
            return cut
    return limit
