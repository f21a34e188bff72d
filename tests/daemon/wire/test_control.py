"""The methods of Control that are about the daemon and what it keeps."""

from __future__ import annotations

import uuid

import grpc
import pytest
from tests.daemon.client.failure import Failure
from tests.daemon.client.files import Results
from tests.daemon.client.progress import Watch
from tests.daemon.client.sessions import Session
from tests.daemon.client.solving import Build, SolveFailed, solve
from tests.daemon.wire.observing import RUNS, done, sh
from tests.support.daemons import Peer

from pybuild.compiler.protos import control_pb2
from pybuild.compiler.state import State, mkfile

pytestmark = [pytest.mark.root, pytest.mark.crun, pytest.mark.registry]

SCRATCH = State.scratch()
SERVING = 1


def own() -> State:
    """A state that nobody else makes."""
    return SCRATCH.file(mkfile(f"/{uuid.uuid4().hex}", b"own"))


def test_workers(peer: Peer) -> None:
    (worker,) = peer.daemon.list_workers()
    assert worker.ID
    assert {one.OS for one in worker.platforms} == {"linux"}
    assert worker.Labels["org.mobyproject.buildkit.worker.executor"]
    assert [one.ID for one in peer.daemon.list_workers([f"id=={worker.ID}"])] == [worker.ID]
    assert peer.daemon.list_workers(["id==nosuch"]) == []


def test_versions(peer: Peer) -> None:
    found = peer.daemon.info()
    assert found.package
    assert found.version.startswith("v") or peer.is_docker


def test_health(ours: Peer) -> None:
    assert ours.daemon.health() == SERVING


def test_a_session_with_the_id_of_an_open_one(ours: Peer) -> None:
    """The second would get what the first one's builds send, so it is refused; the first one goes on."""
    with Session(ours.daemon) as first:
        with Session(ours.daemon, id=first.id) as second:
            assert second.ended.wait(5)
            assert second.error is not None
            assert second.error.code is grpc.StatusCode.ALREADY_EXISTS
        assert not first.ended.wait(0.1)
    for _ in range(50):
        with Session(ours.daemon, id=first.id) as later:
            if not later.ended.wait(0.1):
                return
    raise AssertionError("the ID never becomes free")


def test_usage_and_pruning(peer: Peer) -> None:
    state = own()
    assert state.edge is not None
    done(peer, state)
    name = f"mkfile {state.edge.vertex.op.actions[0].action.path}"  # type: ignore[union-attr]
    (record,) = (one for one in peer.daemon.disk_usage() if name in one.Description)
    assert record.RecordType == "regular"
    assert record.UsageCount >= 1
    assert record.CreatedAt.seconds > 0
    assert [one.ID for one in peer.daemon.prune([f"id=={record.ID}"])] == [record.ID]
    assert record.ID not in [one.ID for one in peer.daemon.disk_usage()]


def test_history(peer: Peer, base: State) -> None:
    solved = done(peer, sh(base, f"echo printed # {uuid.uuid4().hex}"))
    (event,) = peer.daemon.history(solved.ref)
    record = event.record
    assert event.type == control_pb2.COMPLETE
    assert record.Ref == solved.ref
    assert record.CompletedAt.ToNanoseconds() >= record.CreatedAt.ToNanoseconds() > 0
    assert not record.HasField("error")
    assert record.logs.digest.startswith("sha256:")
    replayed = Watch(peer.daemon.status(solved.ref)).wait()
    assert replayed.output() == b"printed\n"
    assert set(replayed.vertexes) == set(solved.progress.vertexes)
    peer.daemon.update_history(solved.ref, pinned=True)
    (event,) = peer.daemon.history(solved.ref)
    assert event.record.pinned
    peer.daemon.update_history(solved.ref, delete=True)
    assert [one.record.Ref for one in peer.daemon.history() if one.record.Ref == solved.ref] == []


def test_the_history_of_a_failure(peer: Peer, base: State) -> None:
    build = Build(sh(base, "exit 5 # for the history"), entitlements=RUNS)
    with pytest.raises(SolveFailed):
        solve(peer.daemon, build)
    (event,) = peer.daemon.history(build.ref)
    assert "exit code: 5" in event.record.error.message
    peer.daemon.update_history(build.ref, delete=True)


def test_events_of_builds(peer: Peer) -> None:
    events = peer.daemon.history(early_exit=False)
    solved = done(peer, own())
    kinds = []
    for event in events:
        if event.record.Ref == solved.ref:
            kinds.append(control_pb2.BuildHistoryEventType.Name(event.type))
            if event.type == control_pb2.COMPLETE:
                break
    events.cancel()  # type: ignore[attr-defined]
    assert kinds[-1] == "COMPLETE"
    peer.daemon.update_history(solved.ref, delete=True)


def test_results_are_in_the_history(ours: Peer) -> None:
    results = Results()
    build = Build(own(), exporters=[("oci", {"name": "a/b"})], offers=[results.offer()])
    solved = solve(ours.daemon, build)
    (event,) = ours.daemon.history(build.ref)
    told = event.record
    assert told.ExporterResponse["containerimage.digest"] == solved.response["containerimage.digest"]
    assert [one.Type for one in told.Exporters] == ["oci"]
    logs = ours.daemon.blob(told.logs.digest)
    assert logs
    assert ours.daemon.blob(told.logs.digest, offset=1, size=3) == logs[1:4]
    assert told.logs.digest in [one.digest for one in ours.daemon.contents()]
    ours.daemon.update_history(build.ref, delete=True)


def test_what_is_not_known(peer: Peer) -> None:
    with pytest.raises(Failure):
        peer.daemon.update_history(uuid.uuid4().hex, pinned=True)
    with pytest.raises(Failure):
        peer.daemon.blob("sha256:" + "9" * 64)


def test_the_progress_of_what_nobody_builds(peer: Peer) -> None:
    watched = Watch(peer.daemon.status(uuid.uuid4().hex)).wait(20)
    assert watched.failure is not None
    assert "no such job" in watched.failure.message or "not found" in watched.failure.message
