"""What a test is charged with, and what becomes of one that takes too much."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from tests.support.processor_time import (
    FACTOR,
    PROPERTY,
    TESTS,
    Meter,
    bound_of,
    processor_seconds,
    read_bounds,
    room_of,
)

SPENT = 0.3
BURN = f"import time\nwhile time.process_time() < {SPENT}: pass\n"


def burn() -> None:
    end = time.process_time() + SPENT
    while time.process_time() < end:
        pass


def test_this_process_counts() -> None:
    before = processor_seconds()
    burn()
    assert processor_seconds() - before >= SPENT


def test_a_child_that_has_ended_counts() -> None:
    before = processor_seconds()
    subprocess.run([sys.executable, "-S", "-c", BURN], check=True)
    assert processor_seconds() - before >= SPENT - 0.05


def test_a_grandchild_that_lives_counts() -> None:
    """A daemon, or the process that forks builds, ends after the test."""
    code = f"import os, signal\nif os.fork() == 0:\n exec({BURN!r})\n print(flush=True)\nsignal.pause()"
    before = processor_seconds()
    with subprocess.Popen(
        [sys.executable, "-S", "-c", code], stdout=subprocess.PIPE, start_new_session=True
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert processor_seconds() - before >= SPENT - 0.05
        os.killpg(child.pid, signal.SIGKILL)


def report_after(meter: Meter, outcome: str = "passed", when: str = "call") -> pytest.TestReport:
    """The report of a test of `tests/lang/quoting` that burns SPENT, as the plugin gives it on."""
    report = pytest.TestReport(
        nodeid="tests/lang/quoting/test_x.py::test_it", location=("", 0, ""), keywords={},
        outcome=outcome, longrepr=None, when=when,  # type: ignore[arg-type]
    )  # fmt: skip
    meter.pytest_runtest_logstart()
    burn()
    hook = meter.pytest_runtest_makereport()
    next(hook)
    with pytest.raises(StopIteration) as end:
        hook.send(report)
    given: pytest.TestReport = end.value.value
    return given


@pytest.mark.parametrize(
    ("bound", "outcome", "when", "expected"),
    [
        (SPENT, "passed", "call", "passed"),
        (SPENT / FACTOR / 2, "passed", "call", "failed"),
        (SPENT / FACTOR / 2, "passed", "setup", "passed"),
        (SPENT / FACTOR / 2, "skipped", "call", "skipped"),
    ],
)
def test_the_bound_of_a_room(
    bound: float, outcome: str, when: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYPOTHESIS_PROFILE", "suite")
    report = report_after(Meter({"lang": bound, "default": 99}), outcome, when)
    assert report.outcome == expected
    ((name, seconds),) = report.user_properties
    assert name == PROPERTY
    assert isinstance(seconds, float)
    assert seconds >= SPENT
    if expected == "failed":
        assert f"took {seconds:.1f} s" in str(report.longrepr)
        assert f"more than {FACTOR} times the {bound:g} s" in str(report.longrepr)


def test_more_examples_may_take_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYPOTHESIS_PROFILE", "thorough")
    assert report_after(Meter({"default": 0.001})).outcome == "passed"


def test_the_nearest_folder_has_the_bound() -> None:
    bounds = {"default": 1.0, "runtime": 2.0, "runtime/ops/files": 3.0}
    rooms = ("runtime/ops/files", "runtime/ops", "runtime", "lang/textual", "")
    assert [bound_of(room, bounds) for room in rooms] == [3.0, 2.0, 2.0, 1.0, 1.0]
    assert room_of("tests/runtime/ops/test_a.py::test_b[tests/c]") == "runtime/ops"


def test_bounds_are_of_rooms_that_there_are() -> None:
    missing = [room for room in read_bounds() if room != "default" and not (TESTS / room).is_dir()]
    assert not missing
