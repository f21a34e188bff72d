"""Carries progress from a worker to the program's observer."""

from __future__ import annotations

from pybuild.builder.errors import diagnostic_of, plain_diagnostic
from pybuild.runtime.progress.observer import Observer, StatusEvent, VertexEvent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pybuild.lang.diagnostics import Diagnostic


class Sender(Observer):
    """An observer that sends all it is told to the program, by `send`. `started` is called before the first event:
    from then on the process may have threads."""

    def __init__(self, send: Callable[[tuple[Any, ...]], None], started: Callable[[], None]) -> None:
        self._send = send
        self._started = started

    def start(self) -> None:
        self._started()
        self._send(("start",))

    def vertex(self, event: VertexEvent) -> None:
        state = {"started": event.started, "completed": event.completed, "cached": event.cached}
        more = {"error": event.error, "group": event.group}
        self._send(("vertex", event.digest, event.name, event.inputs, {**state, **more}))

    def status(self, event: StatusEvent) -> None:
        amounts = {"current": event.current, "total": event.total, "timestamp": event.timestamp}
        times = {"started": event.started, "completed": event.completed}
        self._send(("status", event.vertex, event.id, {**amounts, **times}))

    def log(self, vertex: str, stream: int, data: bytes) -> None:
        self._send(("log", vertex, stream, bytes(data)))

    def warning(self, vertex: str, diagnostic: Diagnostic) -> None:
        self._send(("warning", vertex, plain_diagnostic(diagnostic)))

    def notice(self, text: str) -> None:
        self._send(("notice", text))


def deliver(event: tuple[Any, ...], observer: Observer) -> None:
    """Call the method of `observer` for an event that a `Sender` sent."""
    kind, *fields = event
    _METHODS[kind](observer, *fields)


_METHODS: dict[str, Callable[..., None]] = {
    "start": lambda observer: observer.start(),
    "vertex": lambda observer, digest, name, inputs, state: observer.vertex(
        VertexEvent(digest, name, inputs, **state)
    ),
    "status": lambda observer, vertex, id, state: observer.status(StatusEvent(vertex, id, **state)),
    "log": lambda observer, *what: observer.log(*what),
    "warning": lambda observer, vertex, plain: observer.warning(vertex, diagnostic_of(plain)),
    "notice": lambda observer, text: observer.notice(text),
}
