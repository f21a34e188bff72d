"""What is run and what is not, over real stores, processes and files."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest
from tests.runtime.cache.conftest import Place, context, copied, made, named

from pybuild.compiler.graph import Edge, Metadata, Vertex
from pybuild.compiler.ops import EMPTY, Copy, FileAction, FileOp, MkFile, Rm

pytestmark = pytest.mark.root


def until(true: Callable[[], object], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_an_unchanged_build_runs_nothing(place: Place) -> None:
    place.write({"a": "1", "b": "2"})
    top = copied(context("a"), "/a", "/x", made("m", "text"))
    first = place.build(top)
    assert first[0][0] == {"m": "text", "x": "1"}
    assert place.ran() == ["make-m", "copy-x"]
    assert place.build(top) == first
    assert place.ran() == []


def test_nothing_beneath_a_hit_is_looked_at(place: Place) -> None:
    place.write({"a": "1"})
    stage = copied(context("a"), "/a", "/a")
    last = made("last", "", copied(stage, "/a", "/b"))
    place.build(last)
    assert place.ran() == ["copy-a", "copy-b", "make-last"]
    place.build(last)
    assert place.ran() == []


def test_a_change_outside_of_what_is_read_is_a_hit(place: Place) -> None:
    place.write({"src/a": "1", "src/b": "1", "other": "1"})
    everything = context()
    top = copied(everything, "/src", "/s", made("m", ""))
    first = place.build(top)
    place.ran()
    place.write({"other": "2"})
    assert place.build(top) == first
    assert place.ran() == []
    place.write({"src/a": "2"})
    assert place.build(top)[0][0]["s/a"] == "2"
    assert place.ran() == ["copy-s"]
    # Back to what was there before.
    place.write({"src/a": "1"})
    assert place.build(top) == first
    assert place.ran() == []


def test_a_change_outside_of_what_is_copied_from_a_stage_is_a_hit(place: Place) -> None:
    place.write({"in/keep": "1", "in/rest": "1"})
    stage = copied(context("in"), "/in", "/out")
    top = copied(stage, "/out/keep", "/k")
    first = place.build(top)
    place.ran()
    place.write({"in/rest": "2"})
    assert place.build(top) == first
    assert place.ran() == ["copy-out"]
    place.write({"in/keep": "2"})
    assert place.build(top)[0][0] == {"k": "2"}
    assert place.ran() == ["copy-out", "copy-k"]


def test_an_unchanged_output_stops_the_rebuild(place: Place) -> None:
    """Early cutoff: a step that must run but makes the same leaves what is built on it, and its snapshot."""
    place.write({"a": "1"})
    actions = (
        FileAction(EMPTY, 0, EMPTY, Copy("/a", "/a", timestamp=0)),
        FileAction(1, EMPTY, EMPTY, MkFile("/b", 0o644, b"b")),
        FileAction(2, EMPTY, 0, Rm("/a")),
    )
    metadata = Metadata(description=named("passing"))
    stage = Edge(Vertex(FileOp(actions), (context("a"),), metadata=metadata))
    top = copied(stage, "/b", "/c", made("top", "t", stage))
    first = place.build(top)
    assert place.ran() == ["passing", "make-top", "copy-c"]
    place.write({"a": "2"})
    assert place.build(top) == first
    assert place.ran() == ["passing"]
    place.build(top)
    assert place.ran() == []


def test_a_forced_step_with_the_same_output_stops_the_rebuild_too(place: Place) -> None:
    first, _ = place.build(made("top", "t", made("m", "1")), made("m", "1"))
    place.ran()
    forced = made("m", "1", ignore_cache=True)
    again, _ = place.build(made("top", "t", forced), forced)
    assert again == first
    assert place.ran() == ["make-m"]


def test_a_step_without_cache_takes_over_the_key(place: Place) -> None:
    place.write({"a": "1"})
    plain, forced = made("m", "1"), made("m", "1", ignore_cache=True)
    (first,) = place.build(plain)
    (second,) = place.build(forced)
    assert place.ran() == ["make-m", "make-m"]
    (third,) = place.build(plain)
    assert place.ran() == []
    assert first[0] == second[0] == third[0]
    assert third[1] == second[1]


def test_two_processes_run_each_step_once(place: Place) -> None:
    place.write({"a": "1"})
    top = made("top", "t", copied(context("a"), "/a", "/x", made("m", "text")))
    children = [place.start([top], delay=0.4) for _ in range(3)]
    results = [child.result() for child in children]
    assert sorted(place.ran()) == ["copy-x", "make-m", "make-top"]
    assert results[0][0] == results[1][0] == results[2][0]
    waited = [text for _, notices in results for text in notices]
    assert any("waiting for pid" in text and "make-m" in text for text in waited)


def test_the_job_of_a_killed_process_is_taken_over(place: Place) -> None:
    top = made("m", "text")
    owner = place.start([top], delay=20)
    until(place.log.exists)
    waiter = place.start([top])
    time.sleep(0.4)
    assert place.ran() == ["make-m"]
    owner.kill()
    (state,), _ = waiter.result()
    assert state[0] == {"m": "text"}
    assert place.ran() == ["make-m"]


def test_a_failure_elsewhere_is_not_ones_own(place: Place) -> None:
    top = made("m", "text")
    owner = place.start([top], delay=0.5, fail="make-m")
    until(place.log.exists)
    waiter = place.start([top])
    with pytest.raises(AssertionError, match="asked to fail"):
        owner.result()
    (state,), _ = waiter.result()
    assert state[0] == {"m": "text"}


def test_what_a_killed_build_left_is_swept(place: Place) -> None:
    owner = place.start([made("slow", "1", made("quick", "1"))], delay=1)
    until(lambda: place.log.exists() and "slow" in place.log.read_text())
    owner.kill()
    place.build(made("other", "1"))
    work = place.directory / "store" / "work"
    assert os.listdir(work) == []
    assert place.build(made("quick", "1"))[0][0] == {"quick": "1"}
    assert place.ran() == ["make-quick", "make-slow", "make-other"]


def test_a_lost_context_file_is_an_error_of_the_build(place: Place) -> None:
    place.write({"a": "1"})
    top = copied(context("a"), "/a", "/x")
    place.build(top)
    (place.context / "a").unlink()
    with pytest.raises(AssertionError, match='"/a": not found'):
        place.build(top)


def test_both_snapshotters_have_records_of_their_own(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    top = made("m", "text")
    first = place.build(top)
    monkeypatch.setenv("PYBUILD_SNAPSHOTTER", "copy")
    second = place.build(top)
    assert place.ran() == ["make-m", "make-m"]
    assert first[0][0] == second[0][0]
    place.build(top)
    assert place.ran() == []
