"""Which steps of the code under test an input takes, without a library.

A step goes from one line to the next that runs, across calls too; how often counts in coarse classes. Only the
code below the given directories is watched: by `sys.monitoring` where Python has it (3.12), else by `sys.settrace`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

Step = tuple[int, int, int]
"""The line before, the line, and the class of the number of times; lines are numbered over all files."""

_LINES = 1 << 16
_CLASSES = (1, 2, 4, 16, 128, 1024)
_TOOL = "pybuild fuzz"


class Steps:
    """Records the steps in the code below `directories`. One recorder at a time may record."""

    def __init__(self, directories: tuple[Path, ...]) -> None:
        self._directories = tuple(f"{directory.resolve()}/" for directory in directories)
        self._files: dict[str, int] = {}
        self._codes: dict[CodeType, int] = {}
        self._last = 0
        self._counts: dict[tuple[int, int], int] = {}

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Counts the steps that are taken inside, from none."""
        self._last = 0
        self._counts = {}
        with _monitored(self._line) if sys.version_info >= (3, 12) else _traced(self):
            yield

    def taken(self) -> set[Step]:
        """What the last recording saw."""
        return {(*step, sum(count >= one for one in _CLASSES)) for step, count in self._counts.items()}

    def base(self, code: CodeType) -> int:
        """The number before that of a file's first line; -1 for code that isn't watched."""
        found = self._codes.get(code)
        if found is None:
            found = self._codes[code] = self._numbered(code.co_filename)
        return found

    def _numbered(self, name: str) -> int:
        path = str(Path(name).resolve())
        if not path.startswith(self._directories):
            return -1
        return self._files.setdefault(path, len(self._files) + 1) * _LINES

    def _line(self, code: CodeType, line: int) -> bool:
        """Notes that a line runs; whether its code is watched."""
        base = self.base(code)
        if base < 0:
            return False
        step = (self._last, base + line)
        self._counts[step] = self._counts.get(step, 0) + 1
        self._last = base + line
        return True

    def _enter(self, frame: FrameType, event: str, arg: Any) -> Any:
        return self._trace if self.base(frame.f_code) >= 0 else None

    def _trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "line":
            self._line(frame.f_code, frame.f_lineno)
        return self._trace


@contextmanager
def _traced(steps: Steps) -> Iterator[None]:
    before = sys.gettrace()
    sys.settrace(steps._enter)
    try:
        yield
    finally:
        sys.settrace(before)


@contextmanager
def _monitored(line: Callable[[CodeType, int], bool]) -> Iterator[None]:
    monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
    tool = next(number for number in (4, 3, 5, 1) if monitoring.get_tool(number) is None)
    monitoring.use_tool_id(tool, _TOOL)
    monitoring.register_callback(
        tool,
        monitoring.events.LINE,
        lambda code, number: None if line(code, number) else monitoring.DISABLE,
    )
    monitoring.set_events(tool, monitoring.events.LINE)
    try:
        yield
    finally:
        monitoring.set_events(tool, 0)
        monitoring.register_callback(tool, monitoring.events.LINE, None)
        monitoring.free_tool_id(tool)
