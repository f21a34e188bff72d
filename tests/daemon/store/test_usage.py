"""What lies in the store, as clients are told it, and how it goes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.daemon.client.bridge import Gateway, Result, result
from tests.daemon.client.control import Daemon
from tests.daemon.client.failure import Failure
from tests.daemon.client.files import Directories
from tests.daemon.client.solving import Build, solve
from tests.runtime.sources.remote.conftest import FILES, Repositories
from tests.runtime.sources.remote.webserver import Web, smart_git

from pybuild.compiler.ops import NetMode
from pybuild.compiler.protos.control_pb2 import UsageRecord
from pybuild.compiler.state import State, cache, copy, mkfile
from pybuild.runtime.usage.prune import Rule, least_used_first, space_to_keep
from pybuild.runtime.usage.records import UsageRecord as Record

pytestmark = pytest.mark.root

MINUTE = 60 * 10**9
BASE = State.scratch().file(mkfile("/a", bytes(200_000)))
TOP = BASE.file(mkfile("/b", b"b"))


def by_description(records: Iterable[UsageRecord]) -> dict[str, UsageRecord]:
    return {one.Description: one for one in records}


@pytest.fixture(autouse=True)
def empty(lone: Daemon) -> None:
    lone.clear()


def test_states_are_told_with_what_they_are_based_on(lone: Daemon) -> None:
    solve(lone, Build(TOP))
    solve(lone, Build(BASE))
    found = by_description(lone.disk_usage())
    assert set(found) == {"mkfile /a", "mkfile /b"}
    base, top = found["mkfile /a"], found["mkfile /b"]
    assert list(top.Parents) == [base.ID]
    assert 200_000 <= base.Size < 300_000
    assert (base.UsageCount, top.UsageCount) == (2, 1)
    assert abs(base.LastUsedAt.seconds - time.time()) < 60
    assert (base.RecordType, base.Mutable, base.InUse, base.Shared) == ("regular", False, False, False)
    assert [one.ID for one in lone.disk_usage([f"id=={top.ID}"])] == [top.ID]
    assert [one.ID for one in lone.disk_usage([f"parents=={base.ID}", "mutable"])] == [top.ID]
    assert lone.disk_usage(age_limit=MINUTE) == []
    assert len(lone.disk_usage(age_limit=1)) == 2


def test_what_is_pruned_is_told(lone: Daemon) -> None:
    solve(lone, Build(TOP))
    assert lone.prune(["description~=/b$/"])[0].Description == "mkfile /b"
    assert lone.prune(keep_duration=MINUTE) == []
    (base,) = lone.prune()
    assert base.Description == "mkfile /a"
    assert base.Size >= 200_000
    assert lone.disk_usage() == []
    again = solve(lone, Build(TOP))
    assert len(again.progress.ran) == 2


def test_space_is_freed_until_there_is_enough(lone: Daemon) -> None:
    for number in range(4):
        solve(lone, Build(State.scratch().file(mkfile("/f", bytes([number]) * 200_000))))
    assert len(lone.prune(max_used_space=500_000)) == 2
    assert lone.prune(max_used_space=500_000) == []
    assert lone.prune(max_used_space=1, reserved_space=500_000) == []
    assert len(lone.prune(max_used_space=1)) == 2


@pytest.mark.parametrize("call", ["disk_usage", "prune"])
def test_a_filter_that_cannot_be_read(lone: Daemon, call: str) -> None:
    what = call.replace("_", "")
    with pytest.raises(Failure, match=rf"failed to parse {what} filters \[type=x\]: filters: parse error"):
        getattr(lone, call)(["type=x"])


def test_what_a_build_uses_stays(lone: Daemon) -> None:
    solve(lone, Build(BASE))

    def frontend(gateway: Gateway) -> Result:
        gateway.ref(TOP, evaluate=True)
        assert {one.Description: one.InUse for one in lone.disk_usage()} == {
            "mkfile /a": True,
            "mkfile /b": True,
        }
        assert lone.prune(all=True) == []
        return result("")

    solve(lone, Build(), frontend)
    assert not any(one.InUse for one in lone.disk_usage())
    lone.clear()
    assert lone.disk_usage() == []
    assert lone.contents() == []


@pytest.mark.crun
@pytest.mark.registry
def test_images_steps_and_caches_have_names_of_their_own(
    lone: Daemon, base: State, base_reference: str
) -> None:
    step = base.network(NetMode.NONE).run(["sh", "-c", "echo >/m/f"], mounts=[cache("/m", "c")])
    solve(lone, Build(step))
    found = by_description(lone.disk_usage())
    assert {name: (one.RecordType, one.Mutable) for name, one in found.items()} == {
        f"pulled from {base_reference}": ("regular", False),
        "mount / from exec sh -c echo >/m/f": ("regular", False),
        "cached mount /m from exec sh -c echo >/m/f": ("exec.cachemount", True),
    }
    assert len(lone.contents()) > 3
    (kept,) = lone.prune(["type==exec.cachemount"])
    assert kept.Description.startswith("cached mount")
    assert kept.Size > 0
    lone.clear()
    assert lone.disk_usage() == []
    assert lone.contents() == []


@pytest.mark.crun
@pytest.mark.registry
def test_nothing_is_left_of_what_was_deleted(
    lone: Daemon, place: Path, tmp_path: Path, base: State, web: Web, repositories: Repositories
) -> None:
    (tmp_path / "f").write_text("f")
    web.files["/file"] = b"file"
    repositories.make("project", FILES)
    state = base.network(NetMode.NONE)
    for source in (State.local("context"), State.http(web.url("/file")), State.git(web.url("/project.git"))):
        state = state.file(copy(source, "/", "/", contents_only=True))
    step = state.run(["sh", "-c", "cat /f /file /a >/m/f"], mounts=[cache("/m", "c")])
    image = ("image", {"name": "example.com/it:1", "store": "true"})
    attrs = {"attest:provenance": "mode=max"}
    offer = Directories({"context": tmp_path}).offer()
    built = solve(lone, Build(step, exporters=[image], offers=[offer], attrs=attrs))
    types = sorted(one.RecordType for one in lone.disk_usage())
    assert {"exec.cachemount", "source.local", "source.git.checkout", "regular"} == set(types)
    (event,) = lone.history()
    (result,) = event.record.Result.Results.values()
    assert result.digest == built.response["containerimage.digest"]
    attestation = event.record.Result.Attestations[0]
    assert attestation.annotations["in-toto.io/predicate-type"].startswith("https://slsa.dev/provenance/")
    assert b"buildType" in lone.blob(attestation.digest)

    assert lone.prune(all=True)
    assert lone.disk_usage() == []
    assert json.loads(lone.blob(result.digest))["manifests"]
    lone.clear()
    assert lone.contents() == []
    assert sorted(str(one.relative_to(place)) for one in left(place / "root")) == []


def left(root: Path) -> list[Path]:
    """What of builds lies in a store."""
    places = ("blobs", "caches", "filesync", "git", "history/blobs", "history/running", "ingest", "work")
    files = [one for name in places for one in (root / name).rglob("*") if one.is_file()]
    return files + [one for one in (root / "snapshots").iterdir() if one.name != "empty"]


@pytest.fixture
def repositories(tmp_path_factory: pytest.TempPathFactory, web: Web) -> Repositories:
    made = Repositories(tmp_path_factory.mktemp("git"))
    serve = smart_git(made.root)
    web.rules.append(lambda handler: ".git/" in handler.path and serve(handler))
    return made


def used(id: str, used: float, uses: int) -> Record:
    return Record(id, "blob", id, used=used, uses=uses)


def test_what_was_used_least_and_longest_ago_goes_first() -> None:
    records = [used("new", 3.0, 1), used("often", 1.0, 9), used("old", 1.0, 1)]
    assert [one.id for one in least_used_first(records)] == ["old", "new", "often"]


@pytest.mark.parametrize(
    ("rule", "total", "free", "kept"),
    [
        (Rule(), 100, 0, 0),
        (Rule(max_used=50), 100, 0, 50),
        (Rule(max_used=50, reserved=70), 100, 0, 70),
        (Rule(min_free=30), 100, 10, 80),
        (Rule(min_free=30), 100, 50, 100),
        (Rule(min_free=30, max_used=90), 100, 10, 80),
        (Rule(min_free=30, max_used=40), 100, 10, 40),
        (Rule(min_free=300, reserved=20), 100, 10, 20),
    ],
)
def test_how_much_may_stay(rule: Rule, total: int, free: int, kept: int) -> None:
    assert space_to_keep(rule, total, free) == kept
