"""Several builds on one store at the same time."""

from __future__ import annotations

import pytest
from tests.e2e.building import Builder, said
from tests.e2e.remains import until
from tests.e2e.soundness import faults, leftovers

ONCE = "FROM base\nRUN echo go-on; sleep 1; cat /proc/sys/kernel/random/uuid >/id\n"
EACH = "FROM base\nCOPY f /\nRUN echo {} >/number\n"
pytestmark = [pytest.mark.root, pytest.mark.crun]


def test_the_same_step_runs_once(builder: Builder) -> None:
    context = builder.context(
        "context", "FROM base\nRUN echo go-on; sleep 1; cat /proc/sys/kernel/random/uuid >/id\n"
    )
    logs = [builder.place / f"log{number}" for number in range(3)]
    trees = [builder.place / f"tree{number}" for number in range(3)]
    processes = [
        builder.start(context, "-o", f"type=local,dest={tree}", log=log)
        for log, tree in zip(logs, trees, strict=True)
    ]
    codes = [process.wait(60) for process in processes]
    assert codes == [0, 0, 0], [log.read_text() for log in logs]
    assert len({(tree / "id").read_text() for tree in trees}) == 1
    assert sum(said(log, "go-on") for log in logs) == 1
    assert faults(builder.store) == []
    assert leftovers(builder.store) == []


def test_a_waiter_takes_over_when_the_first_dies(builder: Builder) -> None:
    context = builder.context("context", "FROM base\nRUN echo go-on; sleep 1.5; echo made >/made\n")
    first_log, log = builder.place / "first", builder.place / "second"
    first = builder.start(context, "-t", "x", log=first_log)
    assert until(lambda: said(first_log, "go-on"), 60), first_log.read_text()
    second = builder.start(context, "-t", "y", log=log)
    assert until(lambda: b"waiting for" in log.read_bytes(), 60), log.read_text()
    first.kill()
    first.wait()
    assert second.wait(60) == 0, log.read_text()
    assert said(log, "go-on")
    builder.build(builder.context("other", "FROM base\nRUN true\n"))
    assert faults(builder.store) == []
    assert leftovers(builder.store) == []


def test_a_waiter_does_not_take_a_failure(builder: Builder) -> None:
    """The first fails because its own context lacks a file; the second has it."""
    step = "RUN echo go-on; sleep 1.5; test -e /proc/$$ && exit 3\n"
    context = builder.context("context", "FROM base\n" + step)
    first_log, log = builder.place / "first", builder.place / "second"
    first = builder.start(context, "-t", "x", log=first_log)
    assert until(lambda: said(first_log, "go-on"), 60), first_log.read_text()
    second = builder.start(context, "-t", "y", log=log)
    assert first.wait(60) == 1
    assert second.wait(60) == 1
    assert said(log, "go-on"), "it ran the step itself"


def test_different_builds(builder: Builder) -> None:
    logs, processes = [], []
    for number in range(6):
        context = builder.context(
            f"context{number}", f"FROM base\nCOPY f /\nRUN echo {number} >/number\n", f=str(number)
        )
        logs.append(builder.place / f"log{number}")
        processes.append(builder.start(context, "-t", f"image{number}", log=logs[-1]))
    codes = [process.wait(100) for process in processes]
    assert codes == [0] * 6, [log.read_text() for log in logs]
    assert faults(builder.store) == []
    assert leftovers(builder.store) == []


def test_prune_waits_for_a_build(builder: Builder) -> None:
    context = builder.context("context", "FROM base\nRUN echo go-on; sleep 1\n")
    log = builder.place / "log"
    process = builder.start(context, "-t", "x", log=log)
    assert until(lambda: said(log, "go-on"), 60), log.read_text()
    pruned = builder.run("prune", "--all", "--force")
    assert "waiting for" in pruned.err
    assert process.wait(60) == 0, log.read_text()
    builder.build(context, "-t", "x")
    assert faults(builder.store) == []
