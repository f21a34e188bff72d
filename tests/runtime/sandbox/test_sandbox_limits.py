"""Limits on steps are enforced or refused."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from tests.runtime.sandbox.stage import Box, Result, Stage

from pybuild.compiler.graph import LinuxResources
from pybuild.compiler.ops import Meta
from pybuild.runtime.sandbox.cgroups import Cgroups
from pybuild.runtime.sandbox.errors import LimitError
from pybuild.runtime.sandbox.step import Step
from pybuild.runtime.sandbox.users import Identity
from pybuild.runtime.solver.types import Cancellation

pytestmark = [pytest.mark.root, pytest.mark.crun]

EAT = "x=$(head -c 100000000 /dev/zero | tr '\\0' x); echo ate"


def test_memory(any_box: Box) -> None:
    def both(stage: Stage) -> tuple[Result, Result]:
        small = LinuxResources(memory=32 << 20, memory_swap=32 << 20)
        large = LinuxResources(memory=1 << 30)
        return stage.sh(EAT, resources=small), stage.sh(EAT, resources=large)

    killed, fed = any_box.inside(both)
    assert killed.out_of_memory
    assert killed.code != 0
    assert (fed.code, fed.out, fed.out_of_memory) == (0, "ate\n", False)
    assert not any(
        any_box.name in name for top in Path("/sys/fs/cgroup").iterdir() for name in os.listdir(top)
    )


def test_processes(any_box: Box) -> None:
    # The threads of runc's own first process count, so fewer than twenty may not even start.
    script = "i=0; while [ $i -lt 30 ]; do sleep 0.2 & i=$((i + 1)); done; wait; echo all"
    few, many = any_box.inside(lambda stage: (stage.sh(script, pids=20), stage.sh(script, pids=60)))
    assert "fork" in few.err
    assert many.out == "all\n"


def test_cpu_and_group_parent(box: Box) -> None:
    resources = LinuxResources(cpu_period=100_000, cpu_quota=20_000, cpuset_cpus="0")
    script = (
        "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max 2>/dev/null; cat /proc/self/cgroup"
    )
    result = box.inside(lambda stage: stage.sh(script, resources=resources, cgroup_parent="parent-test"))
    assert "20000" in result.out.split("\n")[0]
    for top in Path("/sys/fs/cgroup").iterdir():
        for path in sorted(top.glob("parent-test/**/"), reverse=True):
            path.rmdir()


@pytest.mark.parametrize(
    ("resources", "pids", "word"),
    [
        (LinuxResources(memory=1 << 20), 0, "memory"),
        (LinuxResources(cpu_quota=1000), 0, "cpu"),
        (LinuxResources(cpuset_cpus="0"), 0, "cpu"),
        (None, 5, "pids"),
    ],
)
def test_what_cannot_be_enforced_is_refused(
    box: Box, monkeypatch: pytest.MonkeyPatch, resources: LinuxResources | None, pids: int, word: str
) -> None:
    monkeypatch.setattr(
        Cgroups,
        "detect",
        classmethod(lambda cls, *, rootless: cls((), False, "no control groups are mounted")),
    )

    def both(stage: Stage) -> int:
        code = stage.run("true").code
        stage.sh("touch /tmp/ran", resources=resources, pids=pids)
        return code

    with pytest.raises(LimitError, match=f"a {word} limit .* no control groups are mounted"):
        box.inside(both)
    assert not (box.rootfs / "tmp" / "ran").exists()


def test_a_controller_the_kernel_lacks_is_refused() -> None:
    step = Step(b"/", Meta(), Identity(), pids=3)
    with pytest.raises(LimitError, match="no such controller is offered by the kernel"):
        Cgroups([("/x", frozenset({"memory"}))], unified=True).limits(step)


@pytest.mark.parametrize(
    ("resources", "named"),
    [
        (LinuxResources(memory=100), "the memory limit of the step (limit 100) can't be set"),
        (LinuxResources(cpuset_cpus="4095"), "the cpu limit of the step (cpus 4095) can't be set"),
        (
            LinuxResources(cpu_period=100_000, cpu_quota=1),
            "the cpu limit of the step (period 100000, quota 1)",
        ),
    ],
)
def test_a_limit_that_the_kernel_refuses_is_named(
    any_box: Box, resources: LinuxResources, named: str
) -> None:
    with pytest.raises(LimitError, match=re.escape(named)):
        any_box.inside(lambda stage: stage.run("true", resources=resources))


def test_which_limit_was_reached(any_box: Box) -> None:
    script = "for i in 1 2 3 4 5 6; do sleep 0.1 & done; wait"

    def told(stage: Stage) -> list[tuple[bool, bool]]:
        found = []
        both = LinuxResources(memory=64 << 20, memory_swap=64 << 20)
        for text, pids in ((script, 4), (script, 40), (EAT, 40), ("exit 3", 40)):
            step = stage.step("sh", "-c", text, resources=both, pids=pids)
            code = stage.sandbox.run(step, on_output=lambda *_: None, cancellation=Cancellation())
            found.append((code.out_of_memory, code.out_of_processes))
        return found

    assert any_box.inside(told) == [(False, True), (False, False), (True, False), (False, False)]
