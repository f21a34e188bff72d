"""The service of one frontend on its socket: what the wire tests can't see of it, or not without a daemon."""

from __future__ import annotations

import base64
import json
import threading
import time

import pytest
from tests.daemon.client.bridge import Gateway, by_platform, result
from tests.daemon.client.definitions import definition
from tests.daemon.client.failure import Failure
from tests.runtime.bridge.asking import FILES, digest_of, fails, made, sh
from tests.runtime.bridge.conftest import Host, StartHost
from tests.runtime.sandbox.stage import eventually

from pybuild.compiler.protos import errdefs_pb2, ops_pb2
from pybuild.compiler.protos import gateway_pb2 as pb
from pybuild.compiler.state import State, copy, mkdir

pytestmark = pytest.mark.root


def solve(gateway: Gateway, request: pb.SolveRequest) -> pb.SolveResponse:
    return gateway.calls.call("Solve", request, pb.SolveResponse)


# Solving


def test_forms_of_a_result(gateway: Gateway) -> None:
    """A client says which it knows: one that is older than results gets the id alone."""
    asked = definition(made("/a"))
    oldest = solve(gateway, pb.SolveRequest(Definition=asked))
    assert oldest.ref == oldest.result.refDeprecated != ""
    old = solve(gateway, pb.SolveRequest(Definition=asked, allowResultReturn=True))
    assert (old.ref, old.result.WhichOneof("result")) == ("", "refDeprecated")
    today = solve(
        gateway, pb.SolveRequest(Definition=asked, allowResultReturn=True, allowResultArrayRef=True)
    )
    assert getattr(today.result.ref, "def") == asked
    assert len({oldest.ref, old.result.refDeprecated, today.result.ref.id}) == 3
    assert gateway.read_file(oldest.ref, "/a") == b"text"


def test_what_can_not_be_solved(gateway: Gateway) -> None:
    both = pb.SolveRequest(Frontend="dockerfile.v0", Definition=definition(made("/a")))
    assert (
        fails(lambda: solve(gateway, both)).message
        == "cannot solve with both Definition and Frontend specified"
    )
    failed = fails(lambda: gateway.solve(frontend="nothing.v0"))
    assert "invalid frontend: nothing.v0" in failed.message
    assert failed.types == ["errdefs.Solve"]
    broken = ops_pb2.Definition.FromString(b"\x0a\x02\xff\xff")
    fails(lambda: solve(gateway, pb.SolveRequest(Definition=broken)))
    assert gateway.ref(made("/a"))


def test_the_place_of_an_error_and_what_is_left(gateway: Gateway) -> None:
    """A failed step names its mounts as they were and as they are, and its exit code."""
    failed = fails(lambda: gateway.ref(sh("echo left > /tmp/left; exit 4"), evaluate=True))
    assert failed.one(pb.ExitMessage).Code == 4
    found = failed.one(errdefs_pb2.Solve)
    assert list(found.op.exec.meta.args) == ["sh", "-c", "echo left > /tmp/left; exit 4"]
    assert len(found.inputIDs) == len(found.mountIDs) == 1
    assert found.inputIDs[0] != found.mountIDs[0]
    again = fails(lambda: gateway.ref(sh("echo left > /tmp/left; exit 4"), evaluate=True))
    assert again.one(errdefs_pb2.Solve).mountIDs == found.mountIDs


def test_what_a_failed_file_op_is_about(gateway: Gateway) -> None:
    state = made("/a").file(mkdir("/d").mkfile("/d/b", b"").rm("/none").mkdir("/e"))
    found = fails(lambda: gateway.ref(state, evaluate=True)).one(errdefs_pb2.Solve)
    assert (found.WhichOneof("subject"), found.file.index) == ("file", 2)
    assert [bool(id) for id in found.inputIDs] == [True]
    assert [bool(id) for id in found.mountIDs] == [False, False, True, False]


def test_what_a_missing_source_is_about(gateway: Gateway) -> None:
    failed = fails(lambda: gateway.ref(State.scratch().file(copy(made("/a"), "/none", "/x")), evaluate=True))
    assert failed.message.startswith("failed to compute cache key: failed to calculate checksum of ref ")
    assert '"/none": not found' in failed.message
    found = failed.one(errdefs_pb2.Solve)
    assert (found.WhichOneof("subject"), found.cache.index) == ("cache", 0)
    assert len(found.inputIDs) == 1
    assert found.inputIDs[0]


# Many at once


def test_calls_do_not_wait_for_each_other(host: Host) -> None:
    """More of them than any pool has threads, all waiting until one step ends."""
    state = sh("sleep 0.5; echo done > /tmp/done")
    ref = host.gateway.ref(state)
    found: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: found.append(host.gateway.read_file(ref, "/tmp/done")))
        for _ in range(100)
    ]
    for one in threads:
        one.start()
    host.gateway.ping()
    assert found == []
    for one in threads:
        one.join(20)
    assert found == [b"done\n"] * 100


def test_a_call_that_is_given_up_ends_its_work_alone(host: Host) -> None:
    other = host.gateway.calls.future(
        "Solve",
        pb.SolveRequest(Definition=definition(sh("sleep 0.4; # kept")), Evaluate=True),
        pb.SolveResponse,
    )
    word = f"1000.{time.time_ns()}"
    given_up = host.gateway.calls.future(
        "Solve", pb.SolveRequest(Definition=definition(sh(f"sleep {word}")), Evaluate=True), pb.SolveResponse
    )
    assert eventually(lambda: host.running(word), 5)
    given_up.cancel()
    assert eventually(lambda: not host.running(word), 5)
    assert other().result.refDeprecated


# Reading


def test_a_large_file(gateway: Gateway) -> None:
    """There is no limit to what is read, as there is to what is sent."""
    ref = gateway.ref(sh("dd if=/dev/zero of=/tmp/large bs=1024 count=20000"))
    assert len(gateway.read_file(ref, "/tmp/large")) == 20_480_000
    assert gateway.read_file(ref, "/tmp/large", offset=20_479_999, length=10) == b"\0"
    too_large = pb.ReadDirRequest(Ref=ref, DirPath="x" * (17 << 20))
    assert (
        "larger than max"
        in fails(lambda: gateway.calls.call("ReadDir", too_large, pb.ReadDirResponse)).message
    )


def test_a_directory_of_the_client_is_read_in_place(gateway: Gateway) -> None:
    ref = gateway.ref(FILES)
    assert [one.path for one in gateway.read_dir(ref, "/", "sub/*")] == ["sub"]
    assert gateway.read_file(ref, "/link/two") == b"two\n"
    assert gateway.stat(ref, "/link").path == "sub"
    assert "no such ref: , all [" in fails(lambda: gateway.read_file("", "/one")).message


# Sources


def test_what_is_no_source(gateway: Gateway) -> None:
    none = pb.ResolveSourceMetaRequest()
    failed = fails(lambda: gateway.calls.call("ResolveSourceMeta", none, pb.ResolveSourceMetaResponse))
    assert (failed.code.name, failed.message) == ("INVALID_ARGUMENT", "source is required")
    assert gateway.resolve_source("local://files").Source.identifier == "local://files"
    failed = fails(lambda: gateway.resolve_image_config("127.0.0.1:1/not/there:x"))
    assert failed.message.startswith("failed to resolve source metadata for 127.0.0.1:1/not/there:x: ")
    assert "invalid reference format" in fails(lambda: gateway.resolve_image_config("UPPER/Case")).message


# The end


def test_results_by_platform(start_host: StartHost) -> None:
    host = start_host()
    refs = {"linux/amd64": host.gateway.ref(made("/a")), "linux/arm64": host.gateway.ref(made("/b"))}
    returned = by_platform(refs, {"some": b"thing"})
    kind = pb.Attestation(ref=pb.Ref(id=refs["linux/amd64"]), path="/a", inTotoPredicateType="of/ours")
    returned.attestations["linux/amd64"].attestation.append(kind)
    host.gateway.give_back(returned)
    assert "already set" in fails(lambda: host.gateway.give_back(returned)).message
    said = host.end()["returned"]
    assert said["edges"] == {"linux/amd64": digest_of(made("/a")), "linux/arm64": digest_of(made("/b"))}
    assert said["metadata"]["some"] == "thing"
    assert said["attestations"] == {"linux/amd64": ["/a"]}


def test_the_last_solve_of_an_old_frontend(start_host: StartHost) -> None:
    """It is the result, with the metadata that its attributes hold, and none is returned."""
    host = start_host()
    attributes = json.dumps({"containerimage.config": base64.b64encode(b"{}").decode()}).encode()
    final = pb.SolveRequest(Definition=definition(made("/a")), Final=True, ExporterAttr=attributes)
    broken = pb.SolveRequest(Definition=definition(made("/a")), Final=True, ExporterAttr=b"[")
    fails(lambda: solve(host.gateway, broken))
    assert solve(host.gateway, final).ref
    said = host.end()["returned"]
    assert said["edges"] == {"": digest_of(made("/a"))}
    assert said["metadata"] == {"containerimage.config": "{}"}


def test_what_is_not_there_is_not_returned(start_host: StartHost) -> None:
    host = start_host()
    assert "return reference zzz not found" in fails(lambda: host.gateway.give_back(result("zzz"))).message
    neither = pb.ReturnRequest()
    failed = fails(lambda: host.gateway.calls.call("Return", neither, pb.ReturnResponse))
    assert failed.message == "gateway return must be either result or err"
    host.gateway.give_up(Failure(failed.code, "the reason"))
    assert host.end()["returned"] == {"error": "the reason"}


def test_a_frontend_that_goes_away_leaves_nothing(start_host: StartHost) -> None:
    host = start_host()
    word = f"1000.{time.time_ns()}"
    request = pb.SolveRequest(Definition=definition(sh(f"sleep {word}")), Evaluate=True)
    call = host.gateway.calls.future("Solve", request, pb.SolveResponse)
    assert eventually(lambda: host.running(word), 5)
    assert not call.done()
    host.hang_up()
    assert eventually(lambda: not host.running(word), 5)
    said = host.end()
    assert (said["returned"], said["threads"]) == (None, [])


def test_the_end_of_a_build_ends_its_calls(start_host: StartHost) -> None:
    host = start_host()
    word = f"1000.{time.time_ns()}"
    request = pb.SolveRequest(Definition=definition(sh(f"sleep {word}")), Evaluate=True)
    call = host.gateway.calls.future("Solve", request, pb.SolveResponse)
    assert eventually(lambda: host.running(word), 5)
    began = time.monotonic()
    host.end()
    assert time.monotonic() - began < 5
    fails(call)
    assert not host.running(word)
