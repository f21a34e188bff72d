"""Builds that end otherwise than by themselves, and many at once."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest
from tests.daemon.client.calls import Pending
from tests.daemon.client.control import Daemon
from tests.daemon.client.failure import Failure
from tests.daemon.client.running import Running
from tests.daemon.client.solving import Build, solve
from tests.daemon.starting import children
from tests.support.daemons import StartDaemon

from pybuild.compiler.protos.control_pb2 import SolveResponse
from pybuild.compiler.state import State, mkfile

pytestmark = [pytest.mark.root, pytest.mark.crun, pytest.mark.registry]

CLIENTS = 50


def slow(base: State) -> State:
    """A step that would take long, and is another one each time."""
    return base.run(["sh", "-c", f"echo begun; sleep 300; echo {uuid.uuid4().hex}"])


@contextmanager
def begun(daemon: Daemon, graph: State) -> Iterator[Pending[SolveResponse]]:
    """A Solve whose step has printed something."""
    build = Build(graph, entitlements=["network.host"])
    pending = daemon.solve(build.request(""))
    answers = daemon.status(build.ref)
    try:
        next(log for message in answers for log in message.logs)
        yield pending
    finally:
        pending.cancel()
        answers.cancel()


def workers(running: Running) -> list[int]:
    (fork_server,) = children(running.process.pid)
    return children(fork_server)


def until_none(running: Running, seconds: float = 10.0) -> float:
    """Seconds until no worker is left. Raises AssertionError when some stay."""
    begun = time.monotonic()
    while workers(running):
        assert time.monotonic() < begun + seconds, "workers are left"
        time.sleep(0.01)
    return time.monotonic() - begun


def test_a_client_that_goes_away_ends_its_own_work_alone(
    shared_daemon: Running, daemon: Daemon, base: State
) -> None:
    until_none(shared_daemon)
    with begun(daemon, slow(base)) as stays:
        (worker,) = workers(shared_daemon)
        with shared_daemon.connect() as other, begun(other, slow(base)):
            assert len(workers(shared_daemon)) == 2
        end = time.monotonic() + 5
        while workers(shared_daemon) != [worker]:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert not stays.done()
        stays.cancel()
        until_none(shared_daemon)


def test_a_worker_that_is_killed_is_an_error(shared_daemon: Running, daemon: Daemon, base: State) -> None:
    until_none(shared_daemon)
    with begun(daemon, slow(base)) as pending:
        (worker,) = workers(shared_daemon)
        os.kill(worker, signal.SIGKILL)
        with pytest.raises(Failure, match="killed by signal 9 without an answer") as caught:
            pending()
    assert caught.value.code is grpc.StatusCode.INTERNAL
    until_none(shared_daemon)
    assert solve(daemon, Build(State.scratch().file(mkfile("/a", uuid.uuid4().bytes))))


def test_sigterm_ends_builds_and_leaves_nothing(start_daemon: StartDaemon, base: State) -> None:
    running = start_daemon("--allow-insecure-entitlement=network.host")
    with running.connect() as daemon, begun(daemon, slow(base)) as pending:
        started = time.monotonic()
        running.stop()
        took = time.monotonic() - started
        with pytest.raises(Failure):
            pending()
    assert took < 1.5, took  # one second, and the look at what is left


def test_many_clients_at_once(shared_daemon: Running) -> None:
    shared = State.scratch().file(mkfile("/same", uuid.uuid4().bytes))

    def one(number: int) -> int:
        with shared_daemon.connect() as client, client.session():
            solved = solve(client, Build(shared.file(mkfile("/own", str(number % 10).encode()))))
            return len(solved.progress.vertexes)

    with ThreadPoolExecutor(CLIENTS) as pool:
        assert list(pool.map(one, range(CLIENTS))) == [2] * CLIENTS
    until_none(shared_daemon)
