"""The state of a build as a live view needs it, fed by events; no drawing, no clock of its own."""

from __future__ import annotations

from collections import deque

from pybuild.runtime.progress.terminal import last_state, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybuild.runtime.progress.observer import StatusEvent, VertexEvent

KEPT_LINES = 500
"""Lines of a step's output that are kept in case it fails."""
LONGEST_LINE = 64 << 10
"""Bytes of an unfinished line that are held; a longer line is cut into several."""


class Step:
    """A vertex with the end of its output: `lines` are raw, `lost` counts those before them."""

    __slots__ = ("_partial", "event", "lines", "lost", "statuses")

    def __init__(self, event: VertexEvent) -> None:
        self.event = event
        self.lines: deque[bytes] = deque(maxlen=KEPT_LINES)
        self.lost = 0
        self.statuses: dict[str, StatusEvent] = {}
        self._partial: dict[int, bytes] = {}

    @property
    def running(self) -> bool:
        return self.event.started is not None and self.event.completed is None

    @property
    def failed(self) -> bool:
        return bool(self.event.error)

    def seconds(self, now: float) -> float:
        """Return the seconds that the step has run; 0 if it never started."""
        if self.event.started is None:
            return 0.0
        return max((now if self.event.completed is None else self.event.completed) - self.event.started, 0.0)

    def take(self, stream: int, data: bytes) -> None:
        *lines, rest = (self._partial.pop(stream, b"") + data).split(b"\n")
        if len(rest) > LONGEST_LINE:
            lines.append(rest)
            rest = b""
        self.lost += max(len(self.lines) + len(lines) - KEPT_LINES, 0)
        self.lines.extend(lines)
        if rest:
            self._partial[stream] = rest

    def output(self, count: int) -> list[str]:
        """Return the last `count` lines as text for a terminal, unfinished lines included, blank lines left
        out."""
        if count <= 0:
            return []
        texts: list[str] = []
        for line in self._backwards():
            text = last_state(line.decode("utf-8", "replace").rstrip())
            text = printable(text.expandtabs(8)).rstrip()
            if text:
                texts.append(text)
                if len(texts) == count:
                    break
        return texts[::-1]

    def _backwards(self) -> Iterator[bytes]:
        yield from reversed(self._partial.values())
        yield from reversed(self.lines)


class Steps:
    """All vertices in the order they became known."""

    def __init__(self) -> None:
        self._steps: dict[str, Step] = {}
        self._running: dict[str, Step] = {}
        self.done = 0
        self.cached = 0

    def __len__(self) -> int:
        return len(self._steps)

    def running(self) -> list[Step]:
        """Return the running steps in the order in which they started."""
        return list(self._running.values())

    def update(self, event: VertexEvent) -> Step | None:
        """Record an event. Returns the step if the event ended it."""
        step = self._steps.get(event.digest)
        if step is None:
            step = self._steps[event.digest] = Step(event)
            ended_before = False
        else:
            ended_before = step.event.completed is not None
            if ended_before and event.completed is None and event.started is None:
                return None
            step.event = event
        if event.completed is None:
            if event.started is not None:
                self._running[event.digest] = step
                self.done -= ended_before
            return None
        self._running.pop(event.digest, None)
        if ended_before:
            return None
        self.done += 1
        self.cached += event.cached
        return step

    def status(self, event: StatusEvent) -> None:
        step = self._steps.get(event.vertex)
        if step is not None:
            step.statuses[event.id] = event

    def log(self, vertex: str, stream: int, data: bytes) -> None:
        step = self._steps.get(vertex)
        if step is not None:
            step.take(stream, data)
