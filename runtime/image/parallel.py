"""Independent jobs on a few threads."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    T = TypeVar("T")


def run_all(jobs: Sequence[Callable[[], T]], *, threads: int | None = None) -> list[T]:
    """Run all `jobs`, at most `threads` (default: one a CPU) at a time, and return their results in order.
    Fewer threads do where no more can be started. After a failure no further job starts; the failure of the
    earliest failed job is raised once the running ones have ended."""
    limit = min(len(jobs), threads or len(os.sched_getaffinity(0)))
    if limit <= 1:
        return [job() for job in jobs]
    from threading import Thread

    results: list[T | None] = [None] * len(jobs)
    failures: dict[int, BaseException] = {}
    pending = iter(enumerate(jobs))

    def work() -> None:
        for number, job in pending:
            try:
                results[number] = job()
            except BaseException as error:
                failures[number] = error
            if failures:
                return

    others: list[Thread] = []
    try:
        for number in range(limit - 1):
            thread = Thread(target=work, name=f"job-{number}", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                break
            others.append(thread)
        work()
    finally:
        for thread in others:
            thread.join()
    if failures:
        raise failures[min(failures)]
    return results  # type: ignore[return-value]
