"""Records of builds: what is kept of them, how long, and who may read it."""

from __future__ import annotations

import json
import os
import time
from hashlib import sha256
from pathlib import Path

import pytest
from google.rpc.status_pb2 import Status

from pybuild.compiler.protos.control_pb2 import (
    COMPLETE,
    DELETED,
    STARTED,
    BuildHistoryRecord,
    SolveRequest,
    StatusResponse,
    Vertex,
)
from pybuild.daemon.history import History
from pybuild.daemon.historyfilter import select
from pybuild.daemon.historylog import messages
from pybuild.lang.diagnostics import UserError

HOUR = 3600 * 10**9


def built(history: History, ref: str, failure: bytes | None = None, **facts: object) -> BuildHistoryRecord:
    history.started(SolveRequest(Ref=ref, Frontend="f", FrontendAttrs={"a": "b"}))
    (event, *_) = history.completed(ref, {"k": "v"}, facts, failure)
    assert event.type == COMPLETE
    return event.record


def blobs(root: Path) -> list[str]:
    return sorted(os.listdir(root / "history/blobs/sha256"))


def test_a_record_tells_of_its_build(tmp_path: Path) -> None:
    history = History(str(tmp_path))
    request = SolveRequest(Ref="one", ExporterDeprecated="oci", ExporterAttrsDeprecated={"dest": "x"})
    (begun,) = history.started(request)
    assert (begun.type, begun.record.Exporters[0].Type) == (STARTED, "oci")
    assert [one.Ref for one in history.running()] == ["one"]
    said = [
        StatusResponse(vertexes=[Vertex(digest="a"), Vertex(digest="b", cached=True)]),
        StatusResponse(vertexes=[{"digest": "a", "completed": {"seconds": 1}}], warnings=[{"level": 1}]),
    ]
    for one in said:
        history.status("one", one.SerializeToString())
    history.completed("one", {"image.name": "n"}, {"metadata": {"m": "1"}}, None)
    (record,) = history.recorded()
    assert record.ExporterResponse == {"image.name": "n", "m": "1"}
    counts = (record.numTotalSteps, record.numCachedSteps, record.numCompletedSteps, record.numWarnings)
    assert counts == (2, 1, 1, 1)
    logs = history.logs("one")
    assert logs is not None
    assert [StatusResponse.FromString(one) for one in messages(logs)] == said
    assert record.logs.digest == "sha256:" + sha256(Path(logs).read_bytes()).hexdigest()
    assert history.logs("other") is None
    assert os.listdir(tmp_path / "history/running") == []
    history.close()


def test_logins_in_addresses_are_cut(tmp_path: Path) -> None:
    history = History(str(tmp_path))
    attributes = {"context": "https://me:token@host/r.git#main", "build-arg:URL": "http://me:token@host/x"}
    history.started(SolveRequest(Ref="one", FrontendAttrs=attributes))
    history.completed("one", {}, {}, None)
    (record,) = history.recorded()
    assert record.FrontendAttrs["context"] == "https://xxxxx:xxxxx@host/r.git#main"
    assert "token" not in str(record)
    history.close()


def test_a_failure_is_kept_with_its_details(tmp_path: Path) -> None:
    failure = Status(code=2, message="no")
    failure.details.add().Pack(Status(message="why"))
    history = History(str(tmp_path))
    record = built(history, "one", failure.SerializeToString())
    assert (record.error.message, list(record.error.details)) == ("no", [])
    kept = tmp_path / "history/blobs/sha256" / record.externalError.digest[7:]
    assert Status.FromString(kept.read_bytes()) == failure
    history.close()


def test_what_records_have_in_common_goes_with_the_last(tmp_path: Path) -> None:
    history = History(str(tmp_path))
    for ref in ("one", "two"):
        record = built(history, ref, attestations=[("linux/amd64", "p", b"{}"), ("", "p", ref.encode())])
        assert record.Results["linux/amd64"].Attestations[0].annotations == {"in-toto.io/predicate-type": "p"}
        assert record.Result.Attestations[0].size == len(ref)
    assert len(blobs(tmp_path)) == 4  # two predicates of their own, one of both, empty logs of both
    (event,) = history.delete("one")
    assert (event.type, event.record.Ref) == (DELETED, "one")
    assert len(blobs(tmp_path)) == 3
    built(history, "two")  # the same ref again
    assert len(blobs(tmp_path)) == 1
    history.delete("two")
    assert blobs(tmp_path) == []
    for call in (history.delete, lambda ref: history.pin(ref, True)):
        with pytest.raises(KeyError):
            call("two")
    history.close()


def test_a_result_outlives_its_blobs_in_the_store(tmp_path: Path) -> None:
    store = tmp_path / "blobs/sha256"
    store.mkdir(parents=True)

    def put(data: bytes) -> str:
        name = sha256(data).hexdigest()
        (store / name).write_bytes(data)
        return f"sha256:{name}"

    config, layer = put(b"config"), put(b"layer")
    manifest = put(json.dumps({"config": {"digest": config}, "layers": [{"digest": layer}]}).encode())
    descriptor = {"mediaType": "t", "digest": manifest, "size": 5, "annotations": {"x": "y"}}
    gone = {"mediaType": "t", "digest": "sha256:" + "0" * 64, "size": 5}
    history = History(str(tmp_path))
    record = built(history, "one", results={1: descriptor, 2: gone})
    assert list(record.Result.Results) == [1]
    assert record.Result.ResultDeprecated.digest == record.Result.Results[1].digest == manifest
    for one in store.iterdir():
        one.unlink()
    assert {manifest[7:], config[7:]} < set(blobs(tmp_path))
    assert layer[7:] not in blobs(tmp_path)
    history.close()


def test_records_go_when_they_are_old_and_many(tmp_path: Path) -> None:
    history = History(str(tmp_path), max_age=0, max_entries=2)
    for ref in ("1", "2", "3"):
        built(history, ref)
        history.pin("1", True)
    assert [one.Ref for one in history.recorded()] == ["1", "2", "3"]
    history.started(SolveRequest(Ref="4"))
    events = history.completed("4", {}, {}, None)
    assert [(event.type, event.record.Ref) for event in events] == [(COMPLETE, "4"), (DELETED, "2")]
    history.close()
    lasting = History(str(tmp_path), max_age=HOUR, max_entries=1)
    assert [(one.Ref, one.pinned, one.Generation) for one in lasting.recorded()] == [
        ("1", True, 3),
        ("3", False, 0),
        ("4", False, 0),
    ]
    lasting.close()


def test_a_build_whose_daemon_died_has_failed(tmp_path: Path) -> None:
    child = os.fork()
    if not child:
        history = History(str(tmp_path))
        for ref in ("one", "two"):
            history.started(SolveRequest(Ref=ref))
        history.status("one", StatusResponse(vertexes=[Vertex(digest="a")]).SerializeToString())
        (tmp_path / "history/running/half.new").touch()
        os._exit(0)
    os.waitpid(child, 0)
    (log,) = (one for one in (tmp_path / "history/running").glob("*.log") if one.stat().st_size)
    with log.open("ab") as file:
        file.write(b"\xff\0\0\0cut")
    other = History(str(tmp_path))
    other.started(SolveRequest(Ref="three"))
    assert {one.Ref: one.error.code for one in other.recorded()} == {"one": 14, "two": 14}
    (one,) = other.recorded("one")
    assert (one.numTotalSteps, one.HasField("CompletedAt")) == (1, True)
    other.completed("three", {}, {}, None)
    (three,) = other.recorded("three")
    assert not three.HasField("error")
    other.close()
    assert os.listdir(tmp_path / "history/running") == []


def test_what_no_record_has_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history = History(str(tmp_path))
    built(history, "one", attestations=[("", "p", b"kept")])
    history.close()
    (tmp_path / "history/blobs/sha256/0123.tmp").touch()
    History(str(tmp_path)).close()
    assert len(blobs(tmp_path)) == 3
    later = time.time() + 100
    monkeypatch.setattr("time.time", lambda: later)
    History(str(tmp_path)).close()
    assert len(blobs(tmp_path)) == 2


def record(
    ref: str, age: int, took: int | None = None, error: str | None = None, **attrs: str
) -> BuildHistoryRecord:
    found = BuildHistoryRecord(Ref=ref, FrontendAttrs={key.replace("_", ":"): attrs[key] for key in attrs})
    begun = time.time_ns() - age * 10**9
    found.CreatedAt.FromNanoseconds(begun)
    if took is not None:
        found.CompletedAt.FromNanoseconds(begun + took * 10**9)
    if error is not None:
        found.error.CopyFrom(Status(code=2, message=error))
    return found


RECORDS = [
    record("done", 100, 5, vcs_source="https://a.example/r.git"),
    record("failed", 7200, 60, "exit code: 1", context="https://b.example/r.git#main"),
    record("stopped", 50, 1, "x: context canceled", context="dir"),
    record("now", 10),
]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ([], "done failed stopped now"),
        (["ref==done"], "done"),
        (["status==error", "status==running"], "failed now"),
        (["status==canceled"], "stopped"),
        (["status==completed,ref==other"], ""),
        (["repository~=example"], "done failed"),
        (["repository==https://b.example/r.git"], "failed"),
        (["startedAt>1h"], "done stopped now"),
        (["startedAt<=1h,duration>=1m"], "failed"),
        (["completedAt<2001-01-01T00:00:00Z"], "now"),
        (["duration<2s"], "stopped now"),
    ],
)
def test_filters(filters: list[str], found: str) -> None:
    assert [one.Ref for one in select(RECORDS, filters, 0)] == found.split()


def test_a_limit_gives_the_latest() -> None:
    assert [one.Ref for one in select(RECORDS, ["status!=running"], 2)] == ["stopped", "done"]


@pytest.mark.parametrize(
    ("filters", "limit", "problem"),
    [
        ([], -1, "invalid limit -1"),
        (["duration>soon"], 0, "invalid duration soon"),
        (["startedAt>soon"], 0, "invalid time soon"),
        (["status=x"], 0, "failed to parse history filters status=x: filters: parse error"),
    ],
)
def test_what_is_no_filter(filters: list[str], limit: int, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        select(RECORDS, filters, limit)
