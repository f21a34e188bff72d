"""What carries the messages of processes, without a process."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable

import pytest

from pybuild.lang.diagnostics import Cancelled, UserError
from pybuild.runtime.bridge.execstream import signal_number
from pybuild.runtime.bridge.feed import Feed
from pybuild.runtime.bridge.outcome import Outcome
from pybuild.runtime.bridge.statuses import CallRefused
from pybuild.runtime.session.outbox import Outbox
from pybuild.runtime.solver.types import Cancellation


def never() -> bool:
    return False


def in_thread(work: Callable[..., object], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=work, args=arguments, daemon=True)
    thread.start()
    return thread


def fill(box: Outbox[int], count: int, urgent: Callable[[], bool] = never) -> None:
    for number in range(count):
        box.put(number, urgent)


def write(feed: Feed, pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        feed.write(piece)
    feed.end()


def test_an_outbox_gives_all_before_its_error() -> None:
    box: Outbox[int] = Outbox(64)

    def send() -> None:
        fill(box, 500)
        box.close(UserError("last"))

    in_thread(send)
    found: list[int] = []
    with pytest.raises(UserError, match="last"):
        found.extend(box)
    assert found == list(range(500))


def test_who_fills_an_outbox_waits_until_it_is_urgent_or_dropped() -> None:
    box: Outbox[int] = Outbox(64)
    urgent = threading.Event()
    first = in_thread(fill, box, 100, urgent.is_set)
    first.join(0.1)
    assert first.is_alive()
    urgent.set()
    box.wake()
    first.join(5)
    second = in_thread(fill, box, 100)
    second.join(0.1)
    assert second.is_alive()
    box.end()
    second.join(5)
    assert not second.is_alive()
    assert list(box) == []


def test_a_feed_writes_all_and_then_the_end() -> None:
    reading, writing = os.pipe()
    feed = Feed(writing)
    pieces = [b"%04d" % number * 1000 for number in range(100)]
    in_thread(write, feed, pieces)
    found = b""
    while data := os.read(reading, 1 << 16):
        found += data
    assert found == b"".join(pieces)
    feed.drop()
    os.close(reading)


def test_a_feed_that_nobody_reads_lets_go() -> None:
    reading, writing = os.pipe()
    feed = Feed(writing)
    thread = in_thread(write, feed, [bytes(1 << 16)] * 200)
    thread.join(0.1)
    assert thread.is_alive()
    began = time.monotonic()
    feed.drop()
    thread.join(5)
    assert not thread.is_alive()
    assert time.monotonic() - began < 1
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(writing)
    os.close(reading)


def test_a_feed_whose_reader_has_gone() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    feed = Feed(writing)
    for _ in range(200):
        feed.write(b"x")
    feed.drop()
    assert not feed.ended
    feed.write(b"late")
    feed.end()
    assert feed.ended


def test_an_outcome_is_set_once() -> None:
    from pybuild.compiler.gateway import Result

    outcome, heard = Outcome(), []
    outcome.on_set(lambda: heard.append("one"))
    outcome.on_set(lambda: heard.append("two"))()
    assert outcome.set(Result())
    assert not outcome.set(UserError("late"))
    outcome.on_set(lambda: heard.append("three"))
    assert heard == ["one", "three"]
    assert outcome.wait(Cancellation()) == Result()


def test_waiting_for_an_outcome_can_be_given_up() -> None:
    outcome, cancellation = Outcome(), Cancellation()
    threading.Timer(0.05, cancellation.cancel).start()
    with pytest.raises(Cancelled):
        outcome.wait(cancellation)
    outcome.set(UserError("returned"))
    with pytest.raises(UserError, match="returned"):
        outcome.wait(Cancellation())


@pytest.mark.parametrize("name", ["TERM", "SIGTERM", "KILL", "USR1", "WINCH"])
def test_names_of_signals(name: str) -> None:
    assert signal_number(name) == signal.Signals["SIG" + name.removeprefix("SIG")]


def test_real_time_signals() -> None:
    assert signal_number("RTMIN+3") == signal.SIGRTMIN + 3
    assert signal_number("RTMAX-2") == signal.SIGRTMAX - 2


@pytest.mark.parametrize("name", ["", "SIG", "term", "TERM+1", "RTMIN+", "RTMIN+x", "9"])
def test_what_is_no_signal(name: str) -> None:
    with pytest.raises(CallRefused, match="Unknown signal"):
        signal_number(name)
