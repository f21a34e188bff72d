"""What a failed step left, kept for those who asked, and never taken for a result."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.runtime.ops.steps.steps import Bench, Heard, digest_of, edge_of, texts

from pybuild.compiler.mounts import cache
from pybuild.lang.diagnostics import UserError
from pybuild.runtime.engine import Engine
from pybuild.runtime.export.paths import export_paths
from pybuild.runtime.ops.failures import StepFailed

pytestmark = [pytest.mark.root, pytest.mark.crun]


def test_the_state_of_a_failed_step(bench: Bench, tmp_path: Path) -> None:
    before = bench.step("echo before >/before")
    test = bench.step("echo report >/report; rm /before; ln -s report /link; exit 1", before)
    other = bench.step("echo x >/x; exit 1", before)

    def work(engine: Engine, _: Heard) -> object:
        found = []
        for state in (test, other):
            try:
                engine.solve([edge_of(state)], keep_failed=[digest_of(test)])
            except StepFailed as error:
                found.append(error.snapshot)
        kept, none = found
        assert none is None
        assert kept is not None
        leases = engine.store.query("SELECT 1 FROM lease WHERE kind = 'snapshot' AND ref = ?", str(kept))
        records = engine.store.query("SELECT key, results, inputs FROM record")
        assert leases
        assert not any(str(kept) in f"{row[1]},{row[2]}".split(",") for row in records)
        assert not engine.snapshotter.remove([kept]), "it is leased"
        tree = engine.snapshotter.tree(kept)
        root = str(tmp_path)
        written = export_paths(tree, ["/report", "/link"], f"{root}/out/", clean=False, root=root)
        return texts(engine, kept, "report", "before"), written

    read, written = bench.inside(work)
    assert read == ["report\n", None]
    assert written == [f"{tmp_path}/out/report", f"{tmp_path}/out/link"]
    assert (tmp_path / "out" / "report").read_text() == "report\n"
    assert os.readlink(tmp_path / "out" / "link") == "report"

    def later(engine: Engine, _: Heard) -> object:
        rows = engine.store.query("SELECT id FROM snapshot ORDER BY id DESC LIMIT 1")
        newest = int(str(rows[0][0]))
        return texts(engine, newest, "report"), engine.snapshotter.remove([newest])

    read, removed = bench.inside(later)
    assert (read, len(removed)) == (["report\n"], 1), (
        "after the session it goes like others that nothing needs"
    )


def test_a_failed_state_is_never_a_hit(bench: Bench) -> None:
    """A later step leaves the very same state: an earlier result of that content would take its place."""
    failing = bench.step("echo same >/made; exit 1")

    def user(version: str) -> object:
        made = bench.step(f": {version}; echo same >/made", again=True)
        return bench.step("cat /made >/copy", made)

    def fail(engine: Engine, _: Heard) -> int | None:
        try:
            engine.solve([edge_of(failing)], keep_failed=[digest_of(failing)])
        except StepFailed as error:
            return error.snapshot
        return None

    kept = bench.inside(fail)
    assert kept is not None

    def build(version: str) -> None:
        def work(engine: Engine, _: Heard) -> None:
            engine.solve([edge_of(user(version))])  # type: ignore[arg-type]

        bench.inside(work)

    build("one")
    build("two")  # has `cat` adopt the earliest result of that content

    def used(engine: Engine, _: Heard) -> set[str]:
        rows = engine.store.query("SELECT results, inputs FROM record")
        return {part for row in rows for text in row for part in str(text).split(",")}

    assert str(kept) not in bench.inside(used)


def test_it_runs_again_and_can_succeed(bench: Bench) -> None:
    mounts = [cache("/c", id="tries")]
    flaky = bench.step("echo try >>/c/log; cp /c/log /log; test $(wc -l </c/log) = 2", mounts=mounts)

    def work(engine: Engine, _: Heard) -> object:
        with pytest.raises(StepFailed) as caught:
            engine.solve([edge_of(flaky)], keep_failed=[digest_of(flaky)])
        (result,) = engine.solve([edge_of(flaky)], keep_failed=[digest_of(flaky)])
        return texts(engine, caught.value.snapshot, "log"), texts(engine, result, "log")

    assert bench.inside(work) == (["try\n"], ["try\ntry\n"])


def test_each_goal_with_its_own_outcome(bench: Bench) -> None:
    shared = bench.step("echo shared >/shared")
    good = bench.step("test -f /shared", shared)
    bad = bench.step("echo bad >/bad; exit 5", shared)
    above = bench.step("true", bad)
    slow = bench.step("sleep 0.5; echo slow >/slow", shared)

    def work(engine: Engine, _: Heard) -> object:
        edges = [edge_of(one) for one in (good, bad, above, slow)]
        outcomes = engine.solve_each(edges, keep_failed=[digest_of(bad)])
        told: list[object] = []
        for one in outcomes:
            if isinstance(one.error, StepFailed):
                told.append((one.error.code, texts(engine, one.error.snapshot, "bad")))
            else:
                assert one.error is None
                assert one.result is not None
                told.append((one.cached, one.seconds > 0))
        again = engine.solve_each([edge_of(good), edge_of(slow)])
        return told, [one.error for one in again]

    told, again = bench.inside(work)
    assert told == [(False, True), (5, ["bad\n"]), (5, ["bad\n"]), (False, True)]
    assert again == [None, None]

    def later(engine: Engine, _: Heard) -> object:
        outcomes = engine.solve_each([edge_of(good), edge_of(bad), edge_of(slow)])
        return [(one.cached, one.seconds == 0, one.error is None) for one in outcomes]

    assert bench.inside(later) == [(True, True, True), (False, False, False), (True, True, True)]


# Caches of a project

SCOPED = {"pybuild.cache.scope": '{"c": "project", "other": "user"}'}


def test_a_cache_of_a_projects_scope_is_its_own(bench: Bench) -> None:
    mounts = [cache("/c", id="c")]

    def add(word: str, project: str, description: dict[str, str], *, again: bool = False) -> str:
        script = f"echo {word} >>/c/log; cat /c/log"
        step = bench.step(script, mounts=mounts, description=description, again=again)
        return bench.solve(step, project=project)

    assert add("a1", "a", SCOPED) == "a1\n"
    assert add("b1", "b", SCOPED) == "b1\n"
    assert add("a2", "a", SCOPED) == "a1\na2\n"
    assert add("g1", "a", {}) == "g1\n"
    assert add("g2", "b", {"pybuild.cache.scope": '{"c": "user"}'}) == "g1\ng2\n"
    assert add("g3", "b", {"pybuild.cache.scope": "{}"}) == "g1\ng2\ng3\n"
    # A step that must run anew empties what it mounts, and nothing else.
    assert add("a3", "a", SCOPED, again=True) == "a3\n"
    assert add("b2", "b", SCOPED) == "b1\nb2\n"
    assert add("g4", "b", {}) == "g1\ng2\ng3\ng4\n"
    assert add("g5", "b", {}, again=True) == "g5\n"
    assert add("a4", "a", SCOPED) == "a3\na4\n"


def test_a_scope_is_in_no_key(bench: Bench) -> None:
    mounts = [cache("/c", id="c")]
    assert bench.solve(bench.step("echo ran", mounts=mounts, description=SCOPED), project="a") == "ran\n"
    assert bench.solve(bench.step("echo ran", mounts=mounts), project="b") == ""


@pytest.mark.parametrize("text", ["", "[]", '{"c": "world"}', '{"c": 1}', "project"])
def test_scopes_that_say_nothing(bench: Bench, text: str) -> None:
    step = bench.step("true", mounts=[cache("/c", id="c")], description={"pybuild.cache.scope": text})

    def work(engine: Engine, _: Heard) -> str:
        try:
            engine.solve([edge_of(step)])
        except UserError as error:
            return str(error)
        return ""

    assert bench.inside(work).startswith("pybuild.cache.scope of a step is")
