"""What a failed build tells: its place in the source, the step, what it was given; requests that make no sense."""

from __future__ import annotations

import os
import random
import uuid
from collections.abc import Iterable

import pytest
from tests.daemon.client.control import Daemon
from tests.daemon.client.definitions import definition
from tests.daemon.client.failure import Failure
from tests.daemon.client.solving import Build, SolveFailed, solve
from tests.daemon.wire.observing import RUNS, failure, refused, sh
from tests.support.daemons import Peer

from pybuild.compiler.options import Options
from pybuild.compiler.protos import errdefs_pb2, ops_pb2
from pybuild.compiler.state import State, copy, mkfile
from pybuild.lang.source import Source, Span

pytestmark = [pytest.mark.root, pytest.mark.crun, pytest.mark.registry]

SCRATCH = State.scratch()
FILE = Source("Build.file", "first\nRUN something that fails\nlast\n")


def marked(base: State, script: str) -> State:
    """A step that was written in line 2 of a file."""
    place = Options(spans=(Span(FILE, 2, 1, 2, 25),))
    return base.run(["sh", "-c", script], options=place)


def test_the_place_of_a_step(peer: Peer, base: State) -> None:
    failed = failure(peer, marked(base, "exit 3 # of a file"))
    source = failed.one(errdefs_pb2.Source)
    assert source.info.filename == "Build.file"
    assert source.info.data == FILE.text.encode()
    assert [(one.start.line, one.end.line) for one in source.ranges] == [(2, 2)]


def test_the_step_with_what_it_was_given(peer: Peer, base: State) -> None:
    failed = refused(peer, marked(base, "exit 4 # with details"))
    solved = failed.one(errdefs_pb2.Solve)
    assert list(solved.op.exec.meta.args) == ["sh", "-c", "exit 4 # with details"]
    assert all(solved.inputIDs)
    assert all(solved.mountIDs)
    assert failed.all(errdefs_pb2.Source)
    assert failed.all(errdefs_pb2.Vertex)


def test_a_failed_file_action(peer: Peer) -> None:
    state = SCRATCH.file(mkfile("/one", b"1").mkfile("/no/such/two", b"2"))
    failed = refused(peer, state)
    solved = failed.one(errdefs_pb2.Solve)
    assert solved.file.index == 1
    assert len(solved.op.file.actions) == 2


def test_a_source_path_that_is_not_there(peer: Peer) -> None:
    source = SCRATCH.file(mkfile("/there", b""))
    failed = failure(peer, SCRATCH.file(copy(source, "/nothing", "/")))
    assert '"/nothing": not found' in failed.message
    assert "failed to calculate checksum of ref" in failed.message


def test_a_vertex_tells_its_error(peer: Peer, base: State) -> None:
    failed = failure(peer, sh(base, "echo said; exit 6 # told"))
    vertex = failed.progress.named("# told")
    assert "exit code: 6" in vertex.error
    assert failed.one(errdefs_pb2.Vertex).digest == vertex.digest


def _of(parts: Iterable[bytes]) -> ops_pb2.Definition:
    """A definition of these ops, whatever they are."""
    made = ops_pb2.Definition()
    getattr(made, "def").extend(parts)
    return made


def _raw(daemon: Daemon, graph: ops_pb2.Definition) -> str:
    with pytest.raises(SolveFailed) as failed:
        solve(daemon, Build(graph, entitlements=RUNS))
    return failed.value.message


def test_definitions_that_are_none(ours: Peer, base: State) -> None:
    """Docker's BuildKit is not asked: some of these end it."""
    whole = definition(sh(base, "true # of a whole definition"))
    parts = getattr(whole, "def")
    for broken in (
        _of([b"\xff\xff"]),
        _of(parts[1:]),
        _of([parts[0], parts[-1]]),
        _of([*parts, b""]),
    ):
        assert _raw(ours.daemon, broken)
    assert ours.daemon.list_workers()


def test_definitions_of_nonsense(ours: Peer, base: State) -> None:
    """The daemon outlives whatever bytes it is sent."""
    chosen = random.Random(1)
    parts = list(getattr(definition(sh(base, "true # to be damaged")), "def"))
    for _ in range(12):
        number = chosen.randrange(len(parts))
        data = bytearray(parts[number])
        for at in chosen.sample(range(len(data)), chosen.randrange(1, 4)):
            data[at] ^= chosen.randrange(1, 256)
        damaged = [*parts[:number], bytes(data), *parts[number + 1 :]]
        assert _raw(ours.daemon, _of(damaged))
    assert ours.daemon.list_workers()


def test_requests_that_ask_for_what_is_not_there(peer: Peer) -> None:
    for build, said in (
        (Build(frontend="nosuch.v0"), "nosuch.v0"),
        (Build(SCRATCH, exporters=[("nosuch", {})]), 'exporter "nosuch" could not be found'),
        (Build(SCRATCH, cache_to=[("nosuch", {})]), "nosuch"),
    ):
        with pytest.raises(SolveFailed) as failed:
            solve(peer.daemon, build)
        assert said in failed.value.message


def test_one_build_of_a_name_at_a_time(peer: Peer, base: State) -> None:
    ref = uuid.uuid4().hex
    with peer.daemon.session() as session:
        build = Build(sh(base, f"sleep 2 # {ref}"), session=session, entitlements=RUNS, ref=ref)
        first = peer.daemon.solve(build.request(session.id))
        for message in peer.daemon.status(ref):
            if any(one.HasField("started") for one in message.vertexes):
                break
        with pytest.raises(Failure) as failed:
            peer.daemon.solve(build.request(session.id))()
        assert "exists" in failed.value.message
        first()


def test_a_large_message(ours: Peer) -> None:
    state = SCRATCH.file(mkfile("/big", os.urandom(1 << 20) * 5))
    solve(ours.daemon, Build(state))
    too_large = SCRATCH.file(mkfile("/big", bytes(17 << 20)))
    with pytest.raises(Failure):
        ours.daemon.solve(Build(too_large).request(""))()
