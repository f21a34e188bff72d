"""Limits of steps by their metadata: enforced, named when they end a step, and in no key."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.runtime.ops.steps.steps import EAT, MIB, Bench

from pybuild.runtime.ops.stepoutput import KEPT_BYTES, StepOutput

pytestmark = [pytest.mark.root, pytest.mark.crun]

FORKS = "for i in 1 2 3 4 5 6 7 8; do sleep 0.2 & done; wait"


def test_memory(bench: Bench) -> None:
    failed = bench.fail(bench.step(f"echo begun; {EAT}; echo ate", memory=32 * MIB))
    assert failed.limit == "32MiB of memory"
    assert failed.code != 0
    assert "reached its limit of 32MiB of memory" in failed.title
    assert "raise the limit of 32MiB of memory" in failed.notes["help"]
    assert failed.output[0] == "begun"
    assert bench.solve(bench.step("echo fits", memory=32 * MIB)) == "fits\n"


def test_processes(bench: Bench) -> None:
    failed = bench.fail(bench.step(FORKS, pids="5"))
    assert failed.limit == "5 processes"
    assert "reached its limit of 5 processes" in failed.title
    assert bench.fail(bench.step("echo | cat", pids="1")).limit == "1 process"
    assert bench.solve(bench.step(FORKS + "; echo all", pids="50")) == "all\n"


def test_a_step_that_does_without_a_process_is_fine(bench: Bench) -> None:
    assert bench.solve(bench.step(f"({FORKS}) 2>/dev/null || echo without", pids="5")) == "without\n"


def test_another_failure_names_no_limit(bench: Bench) -> None:
    failed = bench.fail(bench.step("exit 3", memory=64 * MIB, pids="50"))
    assert (failed.code, failed.limit) == (3, "")
    assert "limit" not in failed.title


def test_a_killed_process_fails_a_step_that_goes_on(bench: Bench) -> None:
    """What it left depends on the limit, and no key holds that."""
    script = 'sh -c "head -c 100000000 /dev/zero | sort >/dev/null" ; echo went on; true'
    failed = bench.fail(bench.step(script, memory=16 * MIB))
    assert (failed.code, failed.limit) == (0, "16MiB of memory")
    assert "went on" in failed.output


def test_a_limit_is_in_no_key_and_a_run_that_it_ended_is_not_cached(bench: Bench) -> None:
    script = f"{EAT}; echo ran"
    assert bench.fail(bench.step(script, memory=32 * MIB)).limit
    assert bench.fail(bench.step(script, memory=33 * MIB)).limit
    assert bench.solve(bench.step(script)) == "ran\n"
    assert bench.solve(bench.step(script, memory=32 * MIB)) == "", "found"
    assert bench.solve(bench.step(script, pids="1")) == "", "found"


@pytest.mark.parametrize("text", ["-1", "five", "1.5", "²", ""])
def test_a_limit_that_is_no_number(bench: Bench, text: str) -> None:
    with pytest.raises(AssertionError, match=r"pybuild\.limits\.pids of a step is no number"):
        bench.solve(bench.step("true", description={"pybuild.limits.pids": text}))


def test_what_a_failure_tells(bench: Bench) -> None:
    failed = bench.fail(
        bench.step("sleep 0.2; for i in $(seq 30); do echo line $i; done; printf end; exit 7")
    )
    assert failed.code == 7
    assert failed.lines == 31
    assert failed.output[-2:] == ("line 30", "end")
    assert 0.2 <= failed.seconds < 10
    assert failed.title.endswith("did not complete successfully: exit code: 7")
    assert failed.notes["output"].startswith("(the last lines)\nline 22\n")


def test_no_group_is_left(bench: Bench) -> None:
    bench.fail(bench.step(EAT, memory=32 * MIB))
    bench.fail(bench.step(FORKS, pids="3"))
    work = {path.name for path in (bench.store / "work").iterdir()}
    left = {name for top in Path("/sys/fs/cgroup").iterdir() for name in os.listdir(top)}
    assert not left & {f"pybuild-{name.removesuffix('.lock')}" for name in work}


# What is kept of a step's output


def test_short_output() -> None:
    output = StepOutput()
    for data in (b"", b"one\ntw", b"o\n", b"\n", b"last"):
        output.add(data)
    assert output.count == 4
    assert output.lines() == ("one", "two", "", "last")
    assert StepOutput().lines() == ()
    assert StepOutput(b"\xff\r\n").lines() == ("\ufffd",)


def test_progress_bars_are_what_was_seen_last() -> None:
    assert StepOutput(b"10%\r50%\r100%\ndone\r\n").lines() == ("100%", "done")


def test_long_output_keeps_whole_lines() -> None:
    output = StepOutput()
    for number in range(10_000):
        output.add(b"line %d\n" % number)
    assert output.count == 10_000
    assert len(output.tail) == KEPT_BYTES
    assert output.lines()[-1] == "line 9999"
    assert all(line.startswith("line ") for line in output.lines())
    assert StepOutput(b"x" * 100_000).lines() == ("x" * KEPT_BYTES,)
