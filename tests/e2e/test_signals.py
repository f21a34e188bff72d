"""Ctrl-C and SIGTERM: the build ends soon with the signal's code, nothing it started lives on, what was
finished is kept."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.e2e.building import Builder, said, steps_run
from tests.e2e.remains import until, wait_for_none, work_names
from tests.e2e.soundness import faults, leftovers

pytestmark = [pytest.mark.root, pytest.mark.crun]

SECONDS = 30.0
SLOW = """\
FROM base AS other
RUN echo side; sleep 60
FROM base
RUN echo finished >/first
COPY --from=other /etc/passwd /copy
RUN echo sleeping; (sleep 60 & sleep 60 & wait)
"""
# The slow step without the side branch: what the interrupted build had finished is found again.
AFTER = "FROM base\nRUN echo finished >/first\nRUN echo sleeping\n"


def interrupted(builder: Builder, context: Path, word: str, number: signal.Signals) -> bytes:
    """What a build printed that got the signal once `word` was printed."""
    log = builder.place / "log"
    process = builder.start(context, "-t", "x", log=log)
    try:
        assert until(lambda: said(log, word), 60), log.read_text()
        works = work_names(builder.store)
        process.send_signal(number)
        started = time.monotonic()
        code = process.wait(2 * SECONDS)
        took = time.monotonic() - started
    finally:
        process.kill()
        process.wait()
    printed = log.read_bytes()
    assert code == 128 + number, printed
    assert took < SECONDS, f"{took:.2f} s"
    assert wait_for_none(builder.store, works) == []
    assert faults(builder.store) == []
    assert leftovers(builder.store) == []
    return printed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_running_step(builder: Builder, number: signal.Signals) -> None:
    context = builder.context("context", "FROM base\nRUN echo finished >/first\nRUN echo go-on; sleep 60\n")
    printed = interrupted(builder, context, "go-on", number)
    assert b"cancelled" in printed
    assert b"Traceback" not in printed
    (context / "Dockerfile").write_text("FROM base\nRUN echo finished >/first\nRUN echo go-on\n")
    assert steps_run(builder.build(context, "-t", "x")) == ["RUN echo go-on"]


def test_steps_side_by_side(builder: Builder) -> None:
    context = builder.context("context", SLOW)
    printed = interrupted(builder, context, "side", signal.SIGINT)
    assert b"cancelled" in printed
    (context / "Dockerfile").write_text(AFTER)
    assert steps_run(builder.build(context, "-t", "x"))[-1:] == ["RUN echo sleeping"]


def test_a_step_that_ignores_signals(builder: Builder) -> None:
    trap = "trap '' INT TERM HUP; echo deaf; while :; do sleep 1; done"
    context = builder.context("context", f"FROM base\nRUN {trap}\n")
    interrupted(builder, context, "deaf", signal.SIGTERM)


def test_a_second_signal_ends_at_once(builder: Builder) -> None:
    context = builder.context("context", "FROM base\nRUN echo go-on; sleep 60\n")
    log = builder.place / "log"
    process = builder.start(context, log=log)
    assert until(lambda: said(log, "go-on"), 60), log.read_text()
    works = work_names(builder.store)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    assert process.wait(SECONDS) == 130
    assert wait_for_none(builder.store, works) == []
    builder.build(builder.context("context", "FROM base\nRUN true\n"))
    assert faults(builder.store) == []
    assert leftovers(builder.store) == []


def test_while_it_waits_for_another(builder: Builder) -> None:
    """Cancelling the one that waits leaves the other alone."""
    context = builder.context("context", "FROM base\nRUN echo go-on; sleep 15; echo done >/done\n")
    first_log, log = builder.place / "first", builder.place / "second"
    first = builder.start(context, "-t", "x", log=first_log)
    assert until(lambda: said(first_log, "go-on"), 60), first_log.read_text()
    second = builder.start(context, "-t", "y", log=log)
    assert until(lambda: b"waiting for" in log.read_bytes(), 60), log.read_text()
    second.send_signal(signal.SIGINT)
    assert second.wait(SECONDS) == 130
    assert first.wait(60) == 0, first_log.read_text()
    assert faults(builder.store) == []
    assert steps_run(builder.build(context, "-t", "z")) == []


def test_the_terminal_s_own_ctrl_c(builder: Builder) -> None:
    """A terminal signals the whole foreground group; nothing of it may make a mess of the output."""
    import os

    context = builder.context("context", "FROM base\nRUN echo go-on; sleep 60\n")
    log = builder.place / "log"
    process: subprocess.Popen[bytes] = builder.start(context, log=log)
    assert until(lambda: said(log, "go-on"), 60), log.read_text()
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(SECONDS) == 130
    assert log.read_bytes().rstrip().splitlines()[-1] == b"pybuild: cancelled"
