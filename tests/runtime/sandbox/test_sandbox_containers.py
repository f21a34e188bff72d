"""Containers in which several processes run: the first one, and those that join it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.runtime.sandbox.stage import Box, Stage

from pybuild.runtime.sandbox.container import Container
from pybuild.runtime.sandbox.process import Process
from pybuild.runtime.sandbox.terminal import Terminal
from pybuild.runtime.solver.types import Cancellation

pytestmark = [pytest.mark.root, pytest.mark.crun]


class Watched:
    """A process that is attended to in a thread."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.written: dict[int, bytes] = {1: b"", 2: b""}
        self._thread = threading.Thread(target=process.attend, args=(self._hear,))
        self._thread.start()
        process.await_start()

    def _hear(self, stream: int, data: bytes) -> None:
        self.written[stream] += data

    def await_text(self, text: bytes, stream: int = 1) -> None:
        end = time.monotonic() + 10
        while text not in self.written[stream]:
            assert time.monotonic() < end, self.written
            time.sleep(0.005)

    def code(self, container: Container) -> int:
        self._thread.join(10)
        assert not self._thread.is_alive()
        with self.process:
            return int(container.code(self.process))


def in_container(work: Callable[[Stage, Container, Watched], Any], script: str) -> Callable[[Stage], Any]:
    def begin(stage: Stage) -> Any:
        container = Container(stage.sandbox, stage.step("sh", "-c", script))
        first = Watched(container.start(joined=True))
        try:
            return work(stage, container, first)
        finally:
            first.process.kill()
            first.code(container)
            container.close()

    return begin


def at_a_terminal(stage: Stage) -> Any:
    terminal = Terminal()
    terminal.resize(24, 80)
    script = "tty; read word; stty size; read word; stty size; exit 4"
    container = Container(stage.sandbox, stage.step("sh", "-c", script, terminal=True))
    watched = Watched(container.start(terminal=terminal, joined=True))
    watched.await_text(b"/dev/pts/0\r\n")
    time.sleep(0.05)
    os.write(terminal.outer, b"this\n")
    watched.await_text(b"this\r\n24 80\r\n")
    terminal.resize(40, 100)
    watched.process.signal(signal.SIGWINCH)
    time.sleep(0.05)
    os.write(terminal.outer, b"that\n")
    code = watched.code(container)
    terminal.close()
    container.close()
    return code, watched.written[1]


AT_A_TERMINAL = 4, b"/dev/pts/0\r\nthis\r\n24 80\r\nthat\r\n40 100\r\n"


def test_a_terminal(any_box: Box) -> None:
    """It has the size it was given, before the start and after, and what is typed goes in."""
    assert any_box.inside(at_a_terminal) == AT_A_TERMINAL


def join(stage: Stage, container: Container, first: Watched) -> Any:
    script = "cat /tmp/word; echo $WHO; head -c 5 /proc/1/cmdline; exit 3"
    other = Watched(container.join(stage.step("sh", "-c", script, env=("PATH=/bin", "WHO=other"))))
    return other.code(container), other.written[1]


JOINED = in_container(join, "echo here > /tmp/word; exec sleep 100")


def test_others_join_the_first(any_box: Box) -> None:
    """They see its files and processes, and have a code and an environment of their own."""
    assert any_box.inside(JOINED) == (3, b"here\nother\nsleep")


@pytest.mark.user
def test_others_join_in_a_build_of_an_ordinary_user(user_box: Box) -> None:
    assert user_box.inside(JOINED) == (3, b"here\nother\nsleep")
    assert user_box.inside(at_a_terminal) == AT_A_TERMINAL


def test_the_end_of_the_first_is_the_end_of_all(any_box: Box) -> None:
    def work(stage: Stage, container: Container, first: Watched) -> Any:
        other = Watched(container.join(stage.step("sh", "-c", "trap '' TERM; echo up; sleep 100")))
        other.await_text(b"up")
        first.process.signal(signal.SIGTERM)
        return first.code(container), other.code(container)

    script = "trap 'exit 7' TERM; sleep 100 & wait"
    assert any_box.inside(in_container(work, script)) == (7, 137)


def test_a_signal_right_after_the_start_is_passed_on(any_box: Box) -> None:
    """It does not end the runtime in place of the process, which ignores it as the first of its namespace."""

    def work(stage: Stage) -> list[int]:
        codes = []
        for _ in range(5):
            container = Container(stage.sandbox, stage.step("sleep", "100"))
            process = container.start(joined=True)
            process.await_start()
            process.signal(signal.SIGTERM)
            process.signal(signal.SIGKILL)
            codes.append(Watched(process).code(container))
            container.close()
        return codes

    assert any_box.inside(work) == [137] * 5


def test_what_can_not_join(any_box: Box) -> None:
    def work(stage: Stage, container: Container, first: Watched) -> Any:
        other = Watched(container.join(stage.step("nothing-there")))
        return other.code(container), b"nothing-there" in other.written[2]

    assert any_box.inside(in_container(work, "sleep 100")) == (127, True)


def test_the_descriptors_are_the_steps(any_box: Box) -> None:
    """From `on_start` on the caller may close its end: the step's own end shows."""

    def work(stage: Stage) -> Any:
        reading, writing = os.pipe()
        code = stage.sandbox.run(
            stage.step("sh", "-c", "echo heard"),
            on_output=lambda stream, data: None,
            cancellation=Cancellation(),
            stdout=writing,
            on_start=lambda: os.close(writing),
        )
        with os.fdopen(reading, "rb") as pipe:
            return int(code), pipe.read()

    assert any_box.inside(work) == (0, b"heard\n")
