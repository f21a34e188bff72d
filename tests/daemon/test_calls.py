"""Calls of the daemon that solve nothing, and Solves that ask for what can't be."""

from __future__ import annotations

import hashlib
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.daemon.client.control import BUILD_ID, Daemon
from tests.daemon.client.failure import Failure
from tests.daemon.client.solving import Build, SolveFailed, ask, solve

from pybuild.compiler.protos import control_pb2, ops_pb2
from pybuild.compiler.state import State, mkfile
from pybuild.daemon.version import DOCKERFILE, PACKAGE, VERSION

pytestmark = [pytest.mark.root, pytest.mark.crun]

Waited = Callable[[], tuple[grpc.StatusCode, str, float]]
"""Code, message, and the seconds that a call took which failed."""


@pytest.fixture(scope="module", autouse=True)
def of_nothing(daemon: Daemon) -> Mapping[str, Waited]:
    """Calls about a ref that there is not, which wait for it while other tests run."""
    ping, metadata = "/moby.buildkit.v1.frontend.LLBBridge/Ping", ((BUILD_ID, "nothing"),)
    return {
        "bridge": waited(raw(daemon, ping).future(b"", metadata=metadata)),
        "unnamed": waited(raw(daemon, ping).future(b"")),
    }


def raw(daemon: Daemon, path: str) -> Any:
    """A method by its path, that takes and gives bytes."""
    return daemon.channel.unary_unary(path)


def waited(call: Any) -> Waited:
    begun, ended = time.monotonic(), threading.Event()
    took: list[float] = []

    def end(call: object) -> None:
        took.append(time.monotonic() - begun)
        ended.set()

    call.add_done_callback(end)

    def wait() -> tuple[grpc.StatusCode, str, float]:
        assert ended.wait(20)
        return call.code(), call.details(), took[0]

    return wait


TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def test_info(daemon: Daemon) -> None:
    found = daemon.info()
    assert (found.package, found.version, found.dockerfileVersion) == (PACKAGE, VERSION, DOCKERFILE)


def test_workers(daemon: Daemon) -> None:
    (record,) = daemon.list_workers()
    assert len(record.ID) == 25
    assert record.platforms[0].OS == "linux"
    assert record.Labels["org.mobyproject.buildkit.worker.executor"] == "oci"
    assert {one.all for one in record.GCPolicy} == {True, False}
    assert record.BuildkitVersion == daemon.info()
    assert daemon.list_workers() == [record]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (["id=={id}"], True),
        (["id==other"], False),
        (["labels.org.mobyproject.buildkit.worker.executor==oci"], True),
        (["labels.org.mobyproject.buildkit.worker.executor==vm"], False),
        (['labels."org.mobyproject.buildkit.worker.executor"==oci'], True),
        (["id==other", "id=={id}"], True),
    ],
)
def test_filters_of_workers(daemon: Daemon, filters: list[str], found: bool) -> None:
    (record,) = daemon.list_workers()
    assert bool(daemon.list_workers([one.format(id=record.ID) for one in filters])) == found


def test_a_bad_filter(daemon: Daemon) -> None:
    with pytest.raises(Failure):
        daemon.list_workers(["id=="])


def test_health(daemon: Daemon) -> None:
    assert daemon.health() == 1


def test_traces_are_taken(daemon: Daemon) -> None:
    assert raw(daemon, TRACES)(b"", timeout=10) == b""


@pytest.mark.parametrize("method", ["/moby.buildkit.v1.Control/Nothing", "/no.such.Service/Nothing"])
def test_other_methods(daemon: Daemon, method: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        raw(daemon, method)(b"", timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_method_of_the_inner_socket_is_none_of_the_outer(daemon: Daemon) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        raw(daemon, "/pybuild.Door/Session")(b"x", timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_the_bridge_of_a_build_that_has_none(daemon: Daemon) -> None:
    ref = uuid.uuid4().hex
    with daemon.session() as session:
        local = State.local("x")
        pending = daemon.solve(Build(local, ref=ref).request(session.id))
        with pytest.raises(Failure, match=f"no such job {ref}"):
            daemon.gateway(ref).ping()
        with pytest.raises(Failure):
            pending()


def test_a_ref_is_one_build_s(daemon: Daemon) -> None:
    ref = uuid.uuid4().hex

    def again(gateway: object) -> str:
        with pytest.raises(Failure, match=f"job ID {ref} exists") as caught:
            daemon.solve(Build(ref=ref).request(""))()
        return caught.value.message

    assert ask(daemon, again, ref=ref)


def test_status_may_come_first(daemon: Daemon) -> None:
    ref = uuid.uuid4().hex
    answers = daemon.status(ref)
    time.sleep(0.2)
    solved = solve(daemon, Build(State.scratch().file(mkfile("/a", ref.encode())), ref=ref))
    names = [one.name for message in answers for one in message.vertexes]
    assert "mkfile /a" in names
    assert solved.progress.failure is None


def failed(daemon: Daemon, **fields: object) -> SolveFailed:
    """How a Solve with these fields of a request fails."""
    graph = State.scratch().file(mkfile("/a", b"a"))
    request: Mapping[str, object] = {"graph": graph, **fields}
    with pytest.raises(SolveFailed) as caught:
        solve(daemon, Build(**request))  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"frontend": "dockerfile.v0"}, "cannot solve with both Definition and Frontend specified"),
        ({"graph": None, "frontend": "fortran.v0"}, "invalid frontend: fortran.v0"),
        ({"cache_to": [("punch-cards", {})]}, 'unknown cache exporter: "punch-cards"'),
        ({"cache_to": [("gha", {"dest": "x"})]}, "exporting a cache of type gha is not supported"),
        ({"cache_to": [("registry", {"ref": "x"})] * 2}, "duplicate cache exports [registry]"),
        ({"entitlements": ["everything"]}, "unknown entitlement everything"),
        ({"entitlements": ["device"]}, "granting entitlement device is not allowed"),
        ({"more": {"CompatibilityVersion": 41}}, "upgrade buildkit (max supported: 40)"),
        (
            {"more": {"CompatibilityVersion": 7}},
            "unsupported compatibility-version 7 (supported: [10 20 30 40])",
        ),
        ({"more": {"ProxyNetwork": True}}, "proxy network"),
        ({"exporters": [("punch-cards", {})]}, 'exporter "punch-cards" could not be found'),
    ],
)
def test_what_a_solve_may_not_ask_for(daemon: Daemon, fields: dict[str, object], said: str) -> None:
    assert said in failed(daemon, **fields).message


def test_a_cache_that_is_not_written_may_fail_no_build(daemon: Daemon) -> None:
    graph = State.scratch().file(mkfile("/a", b"a"))
    build = Build(graph, cache_to=[("gha", {"ref": "some", "ignore-error": "true"})])
    assert solve(daemon, build).progress.named("exporting cache to some").error


def bytes_of(*ops: ops_pb2.Op) -> list[bytes]:
    return [op.SerializeToString(deterministic=True) for op in ops]


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


SOURCE = ops_pb2.Op(source=ops_pb2.SourceOp(identifier="docker-image://x"))


@pytest.mark.parametrize(
    "ops",
    [
        [b"\xff\xff\xff"],
        bytes_of(SOURCE),
        bytes_of(SOURCE, ops_pb2.Op()),
        bytes_of(SOURCE, ops_pb2.Op(inputs=[ops_pb2.Input(digest="sha256:" + "0" * 64)])),
        bytes_of(SOURCE, ops_pb2.Op(inputs=[ops_pb2.Input(digest="nonsense", index=-1)])),
        bytes_of(ops_pb2.Op(merge=ops_pb2.MergeOp(inputs=[ops_pb2.MergeInput(input=7)])), ops_pb2.Op()),
        [b"", b""],
    ],
)
def test_definitions_that_are_none(daemon: Daemon, ops: list[bytes]) -> None:
    definition = ops_pb2.Definition()
    getattr(definition, "def").extend(ops)
    assert failed(daemon, graph=definition).code is not grpc.StatusCode.INTERNAL
    assert failed(daemon, graph=None, frontend="dockerfile.v0", inputs={"context": definition})
    assert daemon.info()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_definitions(daemon: Daemon, data: st.DataObject) -> None:
    """What a Solve makes of bytes that were a definition is a result or an error, and no end of anything."""
    graph = State.scratch().file(mkfile("/a", b"a")).file(mkfile("/b", b"b"))
    request = Build(graph, ref=uuid.uuid4().hex).request("")
    whole = bytearray(request.Definition.SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    request.ClearField("Definition")
    field = (2 << 3) | 2
    sent = request.SerializeToString() + bytes([field]) + varint(len(whole)) + bytes(whole)
    call = raw(daemon, "/moby.buildkit.v1.Control/Solve").future(sent, timeout=30)
    assert call.code() not in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)
    assert "bug" not in call.details()
    assert daemon.info()


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def test_messages_that_are_none(daemon: Daemon) -> None:
    with pytest.raises(grpc.RpcError):
        raw(daemon, "/moby.buildkit.v1.Control/Solve")(b"\xff", timeout=10)
    with pytest.raises(grpc.RpcError) as caught:
        raw(daemon, "/moby.buildkit.v1.Control/Solve")(bytes(17 << 20), timeout=10)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert daemon.calls.call("Info", control_pb2.InfoRequest(), control_pb2.InfoResponse)


@pytest.mark.parametrize(
    ("path", "said", "seconds"),
    [("bridge", "no such job nothing", 3), ("unnamed", "no buildid found", 0)],
)
def test_refs_of_nothing(path: str, said: str, seconds: float, of_nothing: Mapping[str, Waited]) -> None:
    code, message, took = of_nothing[path]()
    assert said in message
    assert code is (grpc.StatusCode.UNKNOWN if path == "unnamed" else grpc.StatusCode.NOT_FOUND)
    assert seconds - 0.05 <= took < seconds + 2  # the clocks of client and server differ a little
