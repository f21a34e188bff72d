"""A pytest plugin: the processor time of each test, the slowest ones at the end, and a bound for each room.

Wall time says little on a machine that does other things too. What is counted is the time that the test process and
all its descendants have had on processors, whether they have ended or not: builds, steps, daemons, the server of
`tests/support/warm`. A process that init has adopted, as its parent ended first, is not among them.

`tests/bounds.toml` has the seconds that the slowest test of each room may take. Five times that is a failure: a
slower machine or a busy one doesn't cause it, a test or a program that got out of hand does.
"""

from __future__ import annotations

import os
import resource
import tomllib
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
PROPERTY = "processor_time"
FACTOR = 5
SHOWN = 20
LEAST_SHOWN = 0.5
"""Seconds. Of a run whose tests all take less, nothing is shown."""

_TICKS = os.sysconf("SC_CLK_TCK")
_TIMES = slice(11, 15)
"""utime, stime, cutime and cstime of /proc/PID/stat, counted behind the name of the program."""
_THREADS = 17
"""The number of threads, likewise."""


def read_bounds() -> dict[str, float]:
    """Seconds by room, and `default`."""
    text = (TESTS / "bounds.toml").read_text(encoding="utf-8")
    return {room: float(seconds) for room, seconds in tomllib.loads(text).items()}


def bound_of(room: str, bounds: dict[str, float]) -> float:
    """Seconds for a folder of tests (`runtime/sandbox`): its own, or those of the nearest folder above it."""
    while room and room not in bounds:
        room = room.rpartition("/")[0]
    return bounds[room or "default"]


def room_of(nodeid: str) -> str:
    """The folder of a test's file below `tests`."""
    return os.path.dirname(nodeid.partition("::")[0]).removeprefix("tests").strip("/")


def _read(path: str) -> bytes:
    """The content of a small file, empty if there is none: its process has ended, or the kernel doesn't have it."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return b""
    try:
        return os.read(fd, 1 << 16)
    except OSError:
        return b""
    finally:
        os.close(fd)


def _children(pid: int, threads: int) -> list[int]:
    """Children of all threads. Most processes have one, whose number is that of the process."""
    if threads == 1:
        return [*map(int, _read(f"/proc/{pid}/task/{pid}/children").split())]
    try:
        names = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    return [int(child) for name in names for child in _read(f"/proc/{pid}/task/{name}/children").split()]


def processor_seconds() -> float:
    """Seconds that this process and its descendants have had on processors so far."""
    own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    total = sum(usage.ru_utime + usage.ru_stime for usage in own)
    ticks = 0
    waiting = _children(os.getpid(), 0)
    while waiting:
        pid = waiting.pop()
        fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
        if fields:
            ticks += sum(map(int, fields[_TIMES]))
            waiting += _children(pid, int(fields[_THREADS]))
    return total + ticks / _TICKS


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--processor-times",
        metavar="FILE",
        help="write the processor time of each phase of each test to FILE",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Meter(read_bounds()), "processor-time-meter")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Table(config.getoption("--processor-times")), "processor-time-table")


class Meter:
    """Measures the phases of the tests that run in this process."""

    def __init__(self, bounds: dict[str, float]) -> None:
        self._last = 0.0
        self._bounds = bounds
        # Laws that are tried with more examples than usual take longer.
        self._limited = os.environ.get("HYPOTHESIS_PROFILE", "suite") == "suite"

    def pytest_runtest_logstart(self) -> None:
        if not self._last:  # else the last phase of the test before has ended just now
            self._last = processor_seconds()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        end = processor_seconds()
        spent = max(0.0, end - self._last)  # the total falls when a process that nobody waited for is gone
        self._last = end
        report.user_properties.append((PROPERTY, spent))
        bound = bound_of(room_of(report.nodeid), self._bounds)
        if self._limited and report.when == "call" and report.passed and spent > FACTOR * bound:
            report.outcome = "failed"
            report.longrepr = (
                f"took {spent:.1f} s of processor time: more than {FACTOR} times the {bound:g} s that "
                f"tests/bounds.toml has for the tests of {room_of(report.nodeid) or 'this folder'}"
            )
        return report


class Table:
    """Gathers what was measured, also by the processes of pytest-xdist, and shows it."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._times: dict[tuple[str, str], float] = {}
        """Seconds by test and phase."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, seconds in report.user_properties:
            if name == PROPERTY and isinstance(seconds, float) and report.when is not None:
                self._times[report.nodeid, report.when] = seconds

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._path is not None:
            lines = [f"{seconds:.3f}\t{phase}\t{test}\n" for (test, phase), seconds in self._times.items()]
            Path(self._path).write_text("".join(lines), encoding="utf-8")
        slowest = sorted(self._times.items(), key=lambda one: one[1], reverse=True)[:SHOWN]
        if not slowest or slowest[0][1] < LEAST_SHOWN:
            return
        rooms: dict[str, float] = defaultdict(float)
        for (test, _), seconds in self._times.items():
            rooms[room_of(test)] += seconds
        terminalreporter.section(f"processor time, {sum(rooms.values()):.0f} s")
        for (test, phase), seconds in slowest:
            terminalreporter.line(f"{seconds:7.2f} s {phase:8} {test}")
        ordered = sorted(rooms.items(), key=lambda one: one[1], reverse=True)
        terminalreporter.line(
            ", ".join(f"{room} {seconds:.0f} s" for room, seconds in ordered if seconds >= 1)
        )
