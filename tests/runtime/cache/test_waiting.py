"""Who waits for a lock of the store is seen by its holder."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from tests.runtime.cache.conftest import Child

from pybuild.runtime.content.directories import is_locked
from pybuild.runtime.content.locks import wait_lock, wanted


def test_waiters_are_seen_while_they_wait(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    first = Child(lambda: hold(path))
    until(lambda: is_locked(path) and not wanted(path))
    second, third = (Child(lambda: take(path)) for _ in range(2))
    until(lambda: wanted(path))
    (tmp_path / "end").touch()
    assert [one.result() for one in (first, second, third)] == [True, True, True]
    assert not wanted(path)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["end", "lock"]


def test_a_waiter_that_dies_is_forgotten(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    holder = Child(lambda: hold(path))
    until(lambda: is_locked(path))
    waiter = Child(lambda: take(path))
    until(lambda: wanted(path))
    waiter.kill()
    until(lambda: not wanted(path))
    (tmp_path / "end").touch()
    assert holder.result()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["end", "lock"]


def hold(path: str) -> bool:
    """Have the lock, as a process of its own does, until there is a file `end` beside it."""
    end = os.path.join(os.path.dirname(path), "end")
    with wait_lock(path) as lock:  # type: ignore[union-attr]
        until(lambda: os.path.exists(end))
        return lock is not None


def take(path: str) -> bool:
    with wait_lock(path) as lock:  # type: ignore[union-attr]
        return lock is not None


def until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came")
