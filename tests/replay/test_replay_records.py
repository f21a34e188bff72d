"""Records themselves: damage, age, races, and what a build leaves one for."""

from __future__ import annotations

import marshal
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.replay.project import SETTLE_SECONDS, Project

from pybuild.replay import record, replay, signatures


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, package: Path) -> tuple[Project, bytes]:
    """A project at rest and its record."""
    place = tmp_path_factory.mktemp("written")
    project = Project(place, place / "store", package)
    project.settled()
    (record,) = project.records()
    return project, record.read_bytes()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    flips=st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(1, 255)), min_size=1, max_size=4),
    cut=st.integers(0, 1 << 20),
)
def test_a_damaged_record_is_none(
    written: tuple[Project, bytes],
    monkeypatch: pytest.MonkeyPatch,
    flips: list[tuple[int, int]],
    cut: int,
) -> None:
    project, whole = written
    data = bytearray(whole)
    for place, mask in flips:
        data[place % len(data)] ^= mask
    damaged = bytes(data[: max(cut % len(whole), 0)]) if cut % 3 == 0 else bytes(data)
    path = project.place / "damaged"
    path.write_bytes(damaged)
    monkeypatch.setattr(replay, "record_path", lambda argv: str(path))
    if damaged != whole:
        assert replay.load(["build"]) is None
        assert replay.replay(["build"]) is None


RECORDS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=5), inner)
    ),
    max_leaves=8,
)
KEYS = (
    "variables",
    "outputs",
    "generation",
    "blobs",
    "parts",
    "stdout",
    "stderr",
    "warnings",
    "plan",
    "request",
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=RECORDS | st.fixed_dictionaries(dict.fromkeys(KEYS, RECORDS)))
def test_a_record_of_other_values_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: Any
) -> None:
    body = marshal.dumps(value)
    path = tmp_path / "record"
    path.write_bytes(replay.FORMAT + crc32(body).to_bytes(4, "little") + body)
    monkeypatch.setattr(replay, "record_path", lambda argv: str(path))
    assert replay.replay(["build"]) is None


@pytest.mark.parametrize("damage", [
    lambda data: data.replace(b"invocation 3", b"invocation 1", 1),
    lambda data: b"",
    lambda data: replay.FORMAT,
    lambda data: data[:-1],
    lambda data: replay.FORMAT + crc32(b"i").to_bytes(4, "little") + b"i",
], ids=["version", "empty", "header", "short", "no value"])  # fmt: skip
def test_a_bad_record_is_written_anew(written: tuple[Project, bytes], damage: object) -> None:
    project, whole = written
    (record,) = project.records()
    record.write_bytes(damage(whole))  # type: ignore[operator]
    assert project.run(*project.words).path == "ordinary"
    assert project.run(*project.words).path == "replay"


def test_a_plan_that_cannot_be_read_takes_the_ordinary_path(alone: Project) -> None:
    alone.settled()
    (path,) = alone.records()
    start = len(replay.FORMAT) + 4
    record = marshal.loads(path.read_bytes()[start:])
    ((((definition, *rest),), *goal),) = record["plan"]["goals"]
    record["plan"]["goals"] = ((((definition[:-7], *rest),), *goal),)
    body = marshal.dumps(record)
    path.write_bytes(replay.FORMAT + crc32(body).to_bytes(4, "little") + body)
    alone.write({"single": "edited"})
    assert alone.judged().path == "ordinary"


@pytest.mark.parametrize("name", ["single", "Dockerfile", "link", "tree/sub/b", "target"])
def test_young_files_leave_no_record(project: Project, name: str) -> None:
    time.sleep(SETTLE_SECONDS)
    project.forget()
    project.variables["CHANGED_JUST_NOW"] = str(project.context / name)
    assert project.run(*project.words).code == 0
    assert project.records() == []
    del project.variables["CHANGED_JUST_NOW"]
    project.recorded()


def test_an_edit_in_the_tick_of_the_build_is_noticed(project: Project) -> None:
    """Size and, on a coarse clock, times stay: only that the file is young tells."""
    seen = []
    for round in range(6):
        project.write({"single": f"edit {round}"})
        seen.append(project.run(*project.words).out)
    assert len(set(seen)) == 6
    assert project.judged().out == seen[-1]


def test_what_is_edited_while_a_build_runs_is_built_next(project: Project) -> None:
    """Whether the build saw the edit or not: the record must not say that it did."""
    for round in range(3):
        project.build()
        project.write({"target": f"t{round}"})
        time.sleep(0.1)
        process = subprocess.Popen(
            project.command(*project.words), cwd=project.cwd, env=project.environment(),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(0.02 + 0.05 * round)
        project.write(
            {"single": f"s{round}", "tree/sub/b": f"b{round}", f"tree/new{round}": "", ".dockerignore": ""}
        )
        (project.context / ".dockerignore").unlink()
        process.wait(30)
        project.judged()


def test_a_file_that_appears_after_it_was_looked_for(tmp_path: Path) -> None:
    """An ignored name is one that a pattern ignores, not one that the build has not seen."""
    from pybuild.lang.dockerfile.ignore import Matcher
    from pybuild.runtime.sources.local import LocalTree
    from pybuild.runtime.sources.statcache import StatCache

    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "ignored").write_text("")
    (root / "one").write_text("")
    (root / "gone").write_text("")
    time.sleep(0.06)
    begun = time.time_ns()

    matcher = Matcher(["ignored*", "sub/*", "!sub/kept"])

    def tree(*selected: bytes) -> LocalTree:
        cache = StatCache(str(tmp_path / "stat"), os.fsencode(root))
        return LocalTree(os.fsencode(root), cache, ignored=None if selected else matcher, selected=selected)

    whole, single = tree(), tree(b"gone", b"one", b"late")
    whole.digest()
    single.digest()
    (root / "late").write_text("")
    (root / "gone").unlink()
    (root / "sub" / "kept").write_text("")
    for one in (whole, single):
        parts = record._parts(one, begun)
        assert not signatures.same_parts(parts)
    (root / "late").unlink()
    (root / "sub" / "kept").unlink()
    (root / "gone").touch()
    assert not signatures.same_parts(record._parts(whole, begun))
    again = tree()
    time.sleep(0.06)
    parts = record._parts(again, time.time_ns())
    assert signatures.same_parts(parts)
    (root / "ignored2").write_text("")
    assert not signatures.same_parts(parts)  # a name that is not known to be ignored is doubt enough


def test_large_contexts_are_looked_at_by_two_processes(alone: Project) -> None:
    project = alone
    for number in range(6):
        directory = project.context / f"tree/d{number}"
        directory.mkdir()
        for name in range(signatures.FORKED // 5):
            (directory / str(name)).touch()
    project.settled()
    (record,) = project.records()
    assert len(marshal.loads(record.read_bytes()[len(replay.FORMAT) + 4 :])["parts"]) == 2
    project.write({"tree/d5/1": "x"})
    assert project.build().path == "rebuild"
    (project.context / "tree/d0").rename(project.context / "tree/d9")
    assert project.judged().path == "rebuild"


def test_processes_at_once(project: Project) -> None:
    project.settled()
    outcomes: list[str] = []

    def build() -> None:
        done = subprocess.run(project.command(*project.words[:1]), cwd=project.cwd, env=project.environment(),
                              capture_output=True, timeout=60, check=False)  # fmt: skip
        outcomes.append(f"{done.returncode} {done.stdout.decode()}{done.stderr.decode()}")

    for _ in range(2):
        time.sleep(0.1)
        project.write({"single": str(len(outcomes))})
        outcomes.clear()
        threads = [threading.Thread(target=build) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(outcomes)) == 1, outcomes
        assert outcomes[0].startswith("0 sha256:")
    assert not [path for path in project.records() if "." in path.name]


def test_records_are_thinned(tmp_path: Path) -> None:
    directory = tmp_path / "invocations"
    directory.mkdir()
    for number in range(record.KEPT + 9):
        (directory / f"{number}").write_text("")
        os.utime(directory / f"{number}", (number, number))
    threads = [
        threading.Thread(target=record._store, args=(str(directory / "new"), b"body")) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    left = {path.name for path in directory.iterdir()}
    assert record.KEPT - len(threads) < len(left) <= record.KEPT  # files being written count too
    assert "new" in left
    assert "9" not in left


def test_a_store_that_takes_no_record_fails_no_build(project: Project) -> None:
    project.forget()
    (project.store / "invocations").write_text("in the way")
    assert project.build().code == 0
    assert project.build().path == "ordinary"
    (project.store / "invocations").unlink()


UNRECORDED = {
    "no cache": ["--no-cache"],
    "pull": ["--pull"],
    "one uncached stage": ["--no-cache-filter=other"],
    "a directory": ["-o", "../out"],
    "a layout": ["-o", "type=oci,tar=false,dest=../out"],
    "an archive on standard output": ["-o", "type=tar,dest=-"],
    "a digest on standard output": ["--iidfile=/dev/stdout"],
    "progress for programs": ["--progress=rawjson"],
}


@pytest.mark.parametrize("words", UNRECORDED.values(), ids=UNRECORDED)
def test_builds_that_are_never_replayed(alone: Project, words: list[str]) -> None:
    alone.words[1:] = words
    time.sleep(0.05)
    done = subprocess.run(alone.command(*alone.words), cwd=alone.cwd, env=alone.environment(),
                          capture_output=True, timeout=60, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert alone.records() == []
