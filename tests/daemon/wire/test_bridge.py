"""What a frontend in the client asks of the daemon, and gives back."""

from __future__ import annotations

import hashlib
import json
import uuid
from pathlib import Path

import grpc
import pytest
from google.protobuf.any_pb2 import Any
from tests.daemon.client.bridge import Gateway, Result, result
from tests.daemon.client.definitions import definition
from tests.daemon.client.failure import Failure
from tests.daemon.client.files import Results
from tests.daemon.client.gomode import from_go
from tests.daemon.client.solving import Build, SolveFailed, ask, solve
from tests.daemon.wire.observing import RUNS, sh, unpacked
from tests.runtime.sources.remote.webserver import Web
from tests.support.daemons import Peer

from pybuild.compiler.protos import errdefs_pb2, ops_pb2, policy_pb2
from pybuild.compiler.state import State, mkdir, mkfile

pytestmark = [pytest.mark.root, pytest.mark.crun, pytest.mark.registry]

SCRATCH = State.scratch()
FILES = SCRATCH.file(
    mkdir("/d", mode=0o750, owner=(3, 4))
    .mkfile("/d/x.txt", b"0123456789", mode=0o640, owner=(7, 8))
    .mkfile("/d/y.md", b"")
    .mkdir("/d/sub")
)


def fails(gateway: Gateway, what: str, *arguments: object) -> str:
    """The message of a verb that fails."""
    with pytest.raises(Failure) as failed:
        getattr(gateway, what)(*arguments)
    return failed.value.message


def test_what_the_daemon_can(peer: Peer) -> None:
    pong = ask(peer.daemon, lambda g: g.ping())
    llb = {cap.ID for cap in pong.LLBCaps if cap.Enabled}
    frontend = {cap.ID for cap in pong.FrontendAPICaps if cap.Enabled}
    assert {"source.image", "exec.mount.cache.sharing", "file.base", "mergeop", "diffop"} <= llb
    assert {"solve.base", "readfile", "readdir", "statfile", "gateway.exec", "reference.output"} <= frontend
    assert [worker.ID for worker in pong.Workers] == [one.ID for one in peer.daemon.list_workers()]


def test_inputs(peer: Peer) -> None:
    given = {"one": FILES, "two": SCRATCH.file(mkfile("/two", b"2"))}
    found = ask(peer.daemon, lambda g: g.inputs(), inputs=given)
    assert {name: getattr(one, "def") for name, one in found.items()} == {
        name: getattr(definition(one), "def") for name, one in given.items()
    }


def test_nothing_is_a_state_too(peer: Peer) -> None:
    assert ask(peer.daemon, lambda g: g.ref(None)) == ""


def test_reading_files(peer: Peer) -> None:
    def question(g: Gateway) -> None:
        ref = g.ref(FILES)
        assert g.read_file(ref, "/d/x.txt") == b"0123456789"
        assert g.read_file(ref, "d/x.txt", offset=3, length=2) == b"34"
        assert g.read_file(ref, "d/x.txt", length=4) == b"0123"
        assert g.read_file(ref, "d/x.txt", offset=8, length=10) == b"89"
        assert g.read_file(ref, "/../d/./x.txt") == b"0123456789"
        assert "no such file or directory" in fails(g, "read_file", ref, "/d/none")
        assert any(
            why in fails(g, "read_file", ref, "/d") for why in ("is a directory", "not a regular file")
        )

    ask(peer.daemon, question)


def test_reading_directories(peer: Peer) -> None:
    def question(g: Gateway) -> None:
        ref = g.ref(FILES)
        assert [entry.path for entry in g.read_dir(ref)] == ["d"]
        assert [entry.path for entry in g.read_dir(ref, "/d")] == ["sub", "x.txt", "y.md"]
        assert [entry.path for entry in g.read_dir(ref, "/d", "*.txt")] == ["x.txt"]
        (found,) = g.read_dir(ref, "d", "x*")
        assert (from_go(found.mode), found.uid, found.gid, found.size) == (0o100640, 7, 8, 10)
        assert g.read_dir(ref, "/d/sub") == []
        assert "no such file or directory" in fails(g, "read_dir", ref, "/none")

    ask(peer.daemon, question)


def test_statistics_of_files(peer: Peer, base: State) -> None:
    def question(g: Gateway) -> None:
        ref = g.ref(FILES)
        found = g.stat(ref, "/d/x.txt")
        assert (found.path, from_go(found.mode), found.uid, found.gid) == ("x.txt", 0o100640, 7, 8)
        assert from_go(g.stat(ref, "d").mode) == 0o040750
        assert "no such file or directory" in fails(g, "stat", ref, "/none")
        image = g.ref(base)
        assert from_go(g.stat(image, "/var/link").mode) == 0o040755
        assert from_go(g.stat(image, "/var/link/two").mode) == 0o100644

    ask(peer.daemon, question)


def test_links_stay_inside(peer: Peer, base: State) -> None:
    def question(g: Gateway) -> None:
        ref = g.ref(sh(base, "ln -s /etc/hostname /out; ln -s ../../../../../../var/data/two /up # links"))
        assert g.read_file(ref, "/up") == b"two\n"
        assert "no such file or directory" in fails(g, "read_file", ref, "/out")

    ask(peer.daemon, question, entitlements=RUNS)


def test_a_state_is_made_when_it_is_looked_at(peer: Peer, base: State) -> None:
    def question(g: Gateway) -> None:
        bad = sh(base, "exit 3 # looked at")
        ref = g.ref(bad)
        assert "exit code: 3" in fails(g, "read_file", ref, "/any")
        assert "exit code: 3" in fails(g, "evaluate", ref)
        with pytest.raises(Failure, match="exit code: 3"):
            g.solve(bad, evaluate=True)
        g.evaluate(g.ref(FILES))

    ask(peer.daemon, question, entitlements=RUNS)


def test_an_id_that_means_nothing(peer: Peer) -> None:
    def question(g: Gateway) -> None:
        assert "no such ref" in fails(g, "read_file", "nothing", "/x") or "not found" in fails(
            g, "read_file", "nothing", "/x"
        )

    ask(peer.daemon, question)


def test_the_config_of_an_image(peer: Peer, base_reference: str, base_layout: Path, registry: str) -> None:
    manifest = json.loads((base_layout / "index.json").read_bytes())["manifests"][0]["digest"]

    def question(g: Gateway) -> None:
        found = g.resolve_image_config(base_reference)
        config = json.loads(found.Config)
        assert found.Digest == manifest
        assert config["history"][0]["created_by"] == "busybox root"
        meta = g.resolve_source(f"docker-image://{base_reference}")
        assert meta.Image.Digest == manifest
        assert json.loads(meta.Image.Config) == config
        assert meta.Source.identifier == f"docker-image://{base_reference}"
        assert "not found" in fails(g, "resolve_image_config", f"{registry}/no/such:image")
        assert "not found" in fails(g, "resolve_source", f"docker-image://{registry}/no/such:image")

    ask(peer.daemon, question)


def test_what_a_file_of_the_web_is(ours: Peer) -> None:
    web = Web()
    web.files["/some.txt"] = b"content"
    found = ask(ours.daemon, lambda g: g.resolve_source(web.url("/some.txt")))
    web.close()
    assert found.HTTP.Checksum == "sha256:" + hashlib.sha256(b"content").hexdigest()
    assert found.HTTP.Filename == "some.txt"


def test_warnings(peer: Peer) -> None:
    info = ops_pb2.SourceInfo(filename="Dockerfile", data=b"FROM scratch\n")
    place = ops_pb2.Range(start={"line": 1, "character": 0}, end={"line": 1, "character": 4})
    assert FILES.edge is not None
    digest = FILES.edge.vertex.digest

    def frontend(g: Gateway) -> Result:
        ref = g.ref(FILES, evaluate=True)
        g.warn(digest, b"short", level=2, detail=[b"one", b"two"], url="http://x", info=info, ranges=[place])
        return result(ref)

    (warning,) = solve(peer.daemon, Build(), frontend).progress.warnings
    assert (warning.vertex, warning.level, warning.short, warning.url) == (digest, 2, b"short", "http://x")
    assert list(warning.detail) == [b"one", b"two"]
    assert (warning.info.filename, warning.info.data) == ("Dockerfile", b"FROM scratch\n")
    assert list(warning.ranges) == [place]


def test_what_is_returned_is_exported(peer: Peer) -> None:
    results = Results()
    build = Build(exporters=[("tar", {})], offers=[results.offer()])
    solve(peer.daemon, build, lambda g: result(g.ref(FILES)))
    assert sorted(unpacked(results.only.data)) == ["d", "d/sub", "d/x.txt", "d/y.md"]


def test_an_error_that_is_returned(peer: Peer) -> None:
    detail = errdefs_pb2.Vertex(digest="sha256:" + "0" * 64)

    def frontend(g: Gateway) -> Result:
        failure = Failure(grpc.StatusCode.INVALID_ARGUMENT, "the frontend says no")
        url = "github.com/moby/buildkit/errdefs.Vertex+json"
        failure.details.append(Any(type_url=url, value=json.dumps({"digest": detail.digest}).encode()))
        raise failure

    with pytest.raises(SolveFailed) as failed:
        solve(peer.daemon, Build(), frontend)
    assert failed.value.message.endswith("the frontend says no")
    assert failed.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert failed.value.one(errdefs_pb2.Vertex) == detail


def test_a_frontend_of_the_daemon(peer: Peer, base_reference: str) -> None:
    """Its result is the frontend's that asked: with metadata, here the image's config."""
    file = f"FROM {base_reference}\nCOPY --from=other /d/x.txt /got\nENV A=1\n"
    source = SCRATCH.file(mkfile("/Dockerfile", file.encode()))

    def question(g: Gateway) -> None:
        made = g.solve(
            frontend="dockerfile.v0",
            options={"context:other": "input:files"},
            inputs={"dockerfile": source, "context": SCRATCH, "files": FILES},
        )
        assert g.read_file(made.ref.id, "/got") == b"0123456789"
        assert "A=1" in json.loads(made.metadata["containerimage.config"])["config"]["Env"]

    ask(peer.daemon, question)


def test_a_frontend_that_does_not_exist(peer: Peer) -> None:
    def question(g: Gateway) -> str:
        with pytest.raises(Failure) as failed:
            g.solve(frontend="nosuch.v0")
        return failed.value.message

    assert "nosuch.v0" in ask(peer.daemon, question)


def test_a_build_that_does_not_exist(peer: Peer) -> None:
    with pytest.raises(Failure) as failed:
        peer.daemon.gateway(uuid.uuid4().hex).ping()
    assert "no such job" in failed.value.message or "not found" in failed.value.message


def test_a_build_that_has_ended(peer: Peer) -> None:
    kept: list[Gateway] = []

    def frontend(g: Gateway) -> Result:
        kept.append(g)
        return result("")

    solve(peer.daemon, Build(), frontend)
    with pytest.raises(Failure):
        kept[0].ping()


def test_policies_of_a_request(peer: Peer, base_reference: str) -> None:
    rule = policy_pb2.Rule(
        action="DENY", selector={"identifier": f"docker-image://{base_reference.partition('/')[0]}/*"}
    )

    def question(g: Gateway) -> str:
        with pytest.raises(Failure) as failed:
            g.solve(
                State.image(base_reference),
                evaluate=True,
                policies=[policy_pb2.Policy(version=1, rules=[rule])],
            )
        return failed.value.message

    assert "denied by policy" in ask(peer.daemon, question)


def test_a_step_for_several_questions_runs_once(peer: Peer, base: State) -> None:
    word = uuid.uuid4().hex

    def question(g: Gateway) -> list[bytes]:
        run = sh(base, f"cat /proc/sys/kernel/random/uuid >/out # {word}")
        return [g.read_file(g.ref(run), "/out") for _ in range(3)]

    one, two, three = ask(peer.daemon, question, entitlements=RUNS)
    assert one == two == three
