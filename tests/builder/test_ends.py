"""How builds end before their time: cancelled, interrupted, killed; nothing is left of them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.builder.place import SLEEPER, Held, Place, is_clean
from tests.e2e.remains import remains, until, wait_for_none, work_names

from pybuild.builder import Builder, WorkerDied
from pybuild.lang.diagnostics import Cancelled, UsageError
from pybuild.runtime.progress.observer import Observer
from pybuild.runtime.solver.types import Cancellation

pytestmark = [pytest.mark.root, pytest.mark.crun]

SECONDS = 10.0
CHILD = """
import sys
from pybuild.builder import Builder
from pybuild.runtime.progress.observer import Observer
class Told(Observer):
    def log(self, vertex, stream, data):
        print("sleeping", flush=True)
root, base, project = sys.argv[1:]
Builder(project, root=root, allow=f"read={base}").build("slow", observer=Told())
"""


class Running(Observer):
    """Calls something, in a thread of its own, once the step prints."""

    def __init__(self, act: object) -> None:
        self.act = act
        self.works: set[str] = set()
        self.since = 0.0
        self.store = Path()

    def log(self, vertex: str, stream: int, data: bytes) -> None:
        assert data == b"sleeping\n"
        self.works = work_names(self.store)
        self.since = time.monotonic()
        assert callable(self.act)
        thread = threading.Thread(target=self.act)
        thread.start()
        thread.join()


@pytest.fixture
def slow(place: Place) -> Iterator[Place]:
    """A project whose target sleeps; afterwards nothing of its build is there."""
    before = Held.now()
    yield place.write(SLEEPER)
    assert Held.now() == before
    assert is_clean(place.store)


def check(running: Running, place: Place) -> None:
    assert time.monotonic() - running.since < SECONDS
    assert running.works
    assert wait_for_none(place.store, running.works) == []


def running(place: Place, act: object) -> Running:
    found = Running(act)
    found.store = place.store
    return found


def test_cancellation(slow: Place) -> None:
    cancellation = Cancellation()
    observer = running(slow, cancellation.cancel)
    with slow.builder() as builder:
        with pytest.raises(Cancelled):
            builder.build("slow", observer=observer, cancellation=cancellation)
        check(observer, slow)
        with pytest.raises(Cancelled):
            builder.build("slow", cancellation=cancellation)


def test_cancelling_all(slow: Place) -> None:
    with slow.builder() as builder:
        observer = running(slow, builder.cancel)
        with pytest.raises(Cancelled):
            builder.run("slow", "true", observer=observer)
        check(observer, slow)


def test_an_interrupt(slow: Place) -> None:
    observer = running(slow, lambda: os.kill(os.getpid(), signal.SIGINT))
    with slow.builder() as builder, pytest.raises(KeyboardInterrupt):
        builder.build("slow", observer=observer)
    check(observer, slow)


def test_an_observer_that_fails(slow: Place) -> None:
    class Failing(Running):
        def log(self, vertex: str, stream: int, data: bytes) -> None:
            super().log(vertex, stream, data)
            raise LookupError("of the observer")

    observer = Failing(lambda: None)
    observer.store = slow.store
    with slow.builder() as builder, pytest.raises(LookupError, match="of the observer"):
        builder.build("slow", observer=observer)
    check(observer, slow)


def test_a_cancelled_task(slow: Place) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with slow.builder() as builder:
            observer = running(slow, lambda: loop.call_soon_threadsafe(task.cancel))
            task: asyncio.Task[object] = asyncio.ensure_future(builder.build_async("slow", observer=observer))
            with pytest.raises(asyncio.CancelledError):
                await task
            check(observer, slow)

    asyncio.run(main())


def test_awaited_builds(place: Place) -> None:
    place.write("target a:\n    from BASE\n    run echo a\n\ntarget b:\n    from BASE\n    run exit 1\n")

    async def main(builder: Builder) -> list[object]:
        both = (builder.build_async("a"), builder.build_async("b"))
        return list(await asyncio.gather(*both, return_exceptions=True))

    with place.builder() as builder:
        first, second = asyncio.run(main(builder))
    assert type(first).__name__ == "Result"
    assert type(second).__name__ == "StepFailed"


def workers_of(process: int) -> list[int]:
    """The children of a process that build for it; the tests have others."""
    return [child for task in Path(f"/proc/{process}/task").iterdir() for child in _workers(task)]


def _workers(task: Path) -> list[int]:
    """Those that a thread has started; none if it has ended meanwhile."""
    try:
        children = (task / "children").read_text().split()
        lines = [(child, Path(f"/proc/{child}/cmdline").read_bytes()) for child in children]
    except FileNotFoundError:
        return []
    return [int(child) for child, line in lines if b"pybuild.builder.worker" in line]


def test_a_killed_worker(slow: Place) -> None:
    def kill() -> None:
        for worker in workers_of(os.getpid()):
            os.kill(worker, signal.SIGKILL)

    observer = running(slow, kill)
    with slow.builder() as builder:
        with pytest.raises(WorkerDied, match="killed by signal 9") as caught:
            builder.build("slow", observer=observer)
        assert caught.value.code == -9
        check(observer, slow)
        # What the dead one left is swept by the next.
        builder.run(builder.build("swept"), "true")


def test_a_killed_program(place: Place, tmp_path: Path) -> None:
    place.write(SLEEPER)
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(place.store), str(place.base), str(place.project)],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.readline() == b"sleeping\n"
    works = work_names(place.store)
    (worker,) = workers_of(child.pid)
    assert remains(place.store, works)
    child.kill()
    child.wait()
    assert wait_for_none(place.store, works, SECONDS) == []
    assert until(lambda: not Path(f"/proc/{worker}").exists(), SECONDS)
    assert is_clean(place.store)


def test_a_worker_that_never_began(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no stdlib >&2; exit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with place.write(SLEEPER).builder() as builder, pytest.raises(WorkerDied) as caught:
        builder.build("slow")
    assert caught.value.code == 3
    assert "no stdlib" in "".join(caught.value.__notes__)


def test_a_program_without_an_interpreter(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "")
    with place.write(SLEEPER).builder() as builder, pytest.raises(UsageError, match="interpreter"):
        builder.build("slow")


def test_a_forked_process_leaves_its_owners_workers_alone(place: Place) -> None:
    place.write(SLEEPER)
    with place.builder() as builder:
        result = builder.build("swept")
        text = result.read_file("/etc/passwd")
        child = os.fork()
        if child == 0:
            try:
                same = result.read_file("/etc/passwd") == text
                builder.close()
            finally:
                os._exit(0 if same else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert result.read_file("/etc/passwd") == text
