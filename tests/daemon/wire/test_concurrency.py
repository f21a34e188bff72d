"""Clients that want the same at the same time, and clients that go away."""

from __future__ import annotations

import glob
import threading
import time
import uuid
from contextlib import suppress

import grpc
import pytest
from tests.daemon.client.calls import Pending
from tests.daemon.client.failure import Failure
from tests.daemon.client.files import Directories, Results
from tests.daemon.client.running import Running
from tests.daemon.client.sessions import Session
from tests.daemon.client.solving import Build, Solved, SolveFailed, ask, solve
from tests.daemon.client.weighing import settled, weigh
from tests.daemon.wire.observing import RUNS, sh
from tests.support.daemons import Peer

from pybuild.compiler.ops import CacheSharing
from pybuild.compiler.protos import control_pb2
from pybuild.compiler.state import State, cache

pytestmark = [pytest.mark.root, pytest.mark.crun, pytest.mark.registry]

WITHIN = 15.0


@pytest.fixture
def word() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def counted(base: State, word: str) -> State:
    """A slow step that notes each of its runs in a cache of this test's."""
    mount = cache("/c", f"runs-{word}", sharing=CacheSharing.SHARED)
    return sh(base, f"echo x >>/c/runs; sleep 1; # {word}", mount)


def runs(peer: Peer, base: State, word: str) -> int:
    """How often that step ran."""
    reader = sh(base, f"wc -l </c/runs >/out; # {uuid.uuid4().hex}", cache("/c", f"runs-{word}"))
    return int(ask(peer.daemon, lambda g: g.read_file(g.ref(reader), "/out"), entitlements=RUNS))


def together(peer: Peer, state: State, count: int) -> list[Solved]:
    """Builds of as many clients at once."""
    found: list[Solved] = []

    def build() -> None:
        found.append(solve(peer.daemon, Build(state, entitlements=RUNS)))

    threads = [threading.Thread(target=build) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WITHIN * 2)
    return found


def test_what_several_want_is_made_once(peer: Peer, base: State, counted: State, word: str) -> None:
    found = together(peer, counted, 4)
    assert len(found) == 4
    assert all(word in "".join(one.progress.names) for one in found)
    assert runs(peer, base, word) == 1


def _begun(peer: Peer, state: State, session: Session) -> Pending[control_pb2.SolveResponse]:
    """The Solve of a build whose step runs."""
    build = Build(state, session=session, entitlements=RUNS)
    pending = peer.daemon.solve(build.request(session.id))
    for message in peer.daemon.status(build.ref):
        if any(one.HasField("started") and "# " in one.name for one in message.vertexes):
            break
    return pending


def test_a_client_that_goes_away_ends_its_own_build_alone(
    peer: Peer, base: State, counted: State, word: str
) -> None:
    with Session(peer.daemon) as first, Session(peer.daemon) as second:
        leaving = _begun(peer, counted, first)
        staying = _begun(peer, counted, second)
        leaving.cancel()
        staying()
    assert runs(peer, base, word) == 1


def test_a_build_that_is_cancelled(peer: Peer, base: State, word: str) -> None:
    with Session(peer.daemon) as session:
        began = time.monotonic()
        pending = _begun(peer, sh(base, f"sleep 100 # {word}"), session)
        pending.cancel()
        with pytest.raises(Failure) as failed:
            pending()
    assert failed.value.code is grpc.StatusCode.CANCELLED
    assert time.monotonic() - began < WITHIN


def test_a_client_whose_connection_ends(shared_daemon: Running, ours: Peer, base: State, word: str) -> None:
    idle = weigh(shared_daemon)
    with shared_daemon.connect() as daemon:
        session = Session(daemon)
        try:
            # The shell stays, as the sleep is not its last command.
            step = sh(base, f"trap '' TERM INT HUP; sleep 100; : # {word}")
            # A call that nobody holds is cancelled by gRPC.
            pending = _begun(Peer(daemon, False), step, session)
            end = time.monotonic() + WITHIN
            # The vertex starts before its process does.
            while not _runs(word):
                assert time.monotonic() < end, pending
                time.sleep(0.01)
        except BaseException:
            session.close()
            raise
    session.close()
    # What an earlier test ended may have been among the processes before.
    assert settled(shared_daemon, idle, WITHIN, besides=("descriptors", "threads", "processes")) == []
    end = time.monotonic() + WITHIN
    while _runs(word):
        assert time.monotonic() < end
        time.sleep(0.01)


def _runs(word: str) -> bool:
    """Report whether a process runs that has the word in its command line."""
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        with suppress(OSError), open(path, "rb") as file:
            if word.encode() in file.read():
                return True
    return False


def test_a_session_that_is_lost(ours: Peer, base: State, word: str) -> None:
    """What needs the client fails; it doesn't wait."""
    failures: list[Failure] = []
    session = Session(ours.daemon, [Directories({}).offer()])
    state = sh(base, f"sleep 1 # {word}")

    def build() -> None:
        try:
            solve(
                ours.daemon,
                Build(state, session=session, exporters=[("tar", {})], entitlements=RUNS),
            )
        except SolveFailed as failure:
            failures.append(failure)

    thread = threading.Thread(target=build)
    thread.start()
    time.sleep(0.5)
    session.close()
    thread.join(WITHIN)
    assert not thread.is_alive()
    assert len(failures) == 1


def test_a_session_that_never_comes(peer: Peer) -> None:
    pending = peer.daemon.solve(Build(State.local("x")).request(uuid.uuid4().hex))
    with pytest.raises(Failure) as failed:
        pending()
    assert "no active session" in failed.value.message


def test_many_clients_at_once(peer: Peer, base: State, word: str) -> None:
    states = [sh(base, f"echo {number} >/out; # {word}") for number in range(3)]
    found: list[bytes] = []

    def work(number: int) -> None:
        results = Results()
        state = states[number % len(states)]
        build = Build(state, exporters=[("tar", {})], offers=[results.offer()], entitlements=RUNS)
        solve(peer.daemon, build)
        found.append(results.only.data)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 12
    assert len(set(found)) == len(states)
