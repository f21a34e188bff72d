"""Threads where the machine gives only a few: what can be done in fewer is, and the rest fails instead of waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pybuild.runtime.image.parallel import run_all
from pybuild.runtime.solver.loop import All, Call, Loop, Task

Limit = Callable[[int], None]


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Limit:
    """`limit(n)`: no more than n further threads can be started."""
    left = [1 << 30]
    start = threading.Thread.start

    def limited(thread: threading.Thread) -> None:
        if left[0] == 0:
            raise RuntimeError("can't start new thread")
        left[0] -= 1
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)

    def set_limit(count: int) -> None:
        left[0] = count

    return set_limit


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


def outcome(loop: Loop, calls: list[Callable[[], object]]) -> list[object]:
    """Run calls side by side; the values that they return, or the error that all fail with."""
    done = threading.Event()
    results: list[object] = []

    def one(function: Callable[[], object]) -> Any:
        return (yield Call(function))

    def all_of() -> Any:
        try:
            results.extend((yield All([loop.spawn(one(function)) for function in calls])))
        except RuntimeError as error:
            results.append(error)
        done.set()

    def begin() -> None:
        task: Task = loop.spawn(all_of())
        assert not task.done

    loop.post(begin)
    assert done.wait(20)
    return results


def test_one_worker_does_what_many_would(loop: Loop, limit: Limit) -> None:
    limit(1)
    assert outcome(loop, [lambda n=n: n for n in range(20)]) == list(range(20))  # type: ignore[misc]


def test_no_worker_at_all(loop: Loop, limit: Limit) -> None:
    limit(0)
    (error,) = outcome(loop, [lambda: 1, lambda: 2])
    assert str(error) == "can't start new thread"


def test_a_worker_that_waits_for_others(loop: Loop, limit: Limit) -> None:
    """Nobody else would do the call that it waits for: that one fails."""
    limit(1)
    inner: list[object] = []

    def nested() -> str:
        loop.waits(1)
        inner.extend(outcome(loop, [lambda: 1]))
        loop.waits(-1)
        return "ended"

    assert outcome(loop, [nested]) == ["ended"]
    assert str(inner[0]) == "can't start new thread"


@pytest.mark.parametrize("count", [0, 1])
def test_independent_jobs(limit: Limit, count: int) -> None:
    limit(count)
    assert run_all([lambda n=n: n for n in range(9)], threads=4) == list(range(9))  # type: ignore[misc]
