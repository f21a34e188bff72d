"""Events of a build, played to a display with a clock that stands still between them."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from pybuild.runtime.progress.display import Display
from pybuild.runtime.progress.observer import StatusEvent, VertexEvent


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_700_000_000.0
        for module in ("plain", "rawjson", "tty"):
            monkeypatch.setattr(f"pybuild.runtime.progress.{module}.time", lambda: self.now)

    def on(self, seconds: float) -> None:
        self.now += seconds


class Script:
    """A display and short verbs for what happens to vertices a, b, c, …"""

    def __init__(self, make: Callable[[io.StringIO], Display], clock: Clock) -> None:
        self.stream = io.StringIO()
        self.display = make(self.stream)
        self.clock = clock
        self._started: dict[str, float] = {}

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    def know(self, name: str, *inputs: str) -> None:
        self.display.vertex(
            VertexEvent(f"sha256:{name}", f"step {name}", [f"sha256:{one}" for one in inputs])
        )

    def start(self, name: str) -> None:
        self._started[name] = self.clock.now
        self.display.vertex(VertexEvent(f"sha256:{name}", f"step {name}", started=self.clock.now))

    def end(self, name: str, *, error: str = "", cached: bool = False) -> None:
        event = VertexEvent(
            f"sha256:{name}",
            f"step {name}",
            started=self._started.get(name),
            completed=self.clock.now,
            cached=cached,
            error=error,
        )
        self.display.vertex(event)

    def log(self, name: str, data: bytes, stream: int = 1) -> None:
        self.display.log(f"sha256:{name}", stream, data)

    def status(self, name: str, id: str, current: int, total: int, *, done: bool = False) -> None:
        self.display.status(
            StatusEvent(
                f"sha256:{name}",
                id,
                current=current,
                total=total,
                timestamp=self.clock.now,
                started=self._started[name],
                completed=self.clock.now if done else None,
            )
        )
