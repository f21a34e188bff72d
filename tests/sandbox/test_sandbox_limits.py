"""Limits on steps are enforced or refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sandbox.stage import Box, Result, Stage

from pybuild.compiler.graph import LinuxResources
from pybuild.compiler.ops import Meta
from pybuild.runtime.sandbox.cgroups import Cgroups
from pybuild.runtime.sandbox.errors import LimitError
from pybuild.runtime.sandbox.step import Step
from pybuild.runtime.sandbox.users import Identity

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
    script = "for i in 1 2 3 4 5 6 7 8; do sleep 0.2 & done; wait; echo all"
    few, many = any_box.inside(lambda stage: (stage.sh(script, pids=5), stage.sh(script, pids=50)))
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
    with pytest.raises(LimitError, match="offers no such controller"):
        Cgroups([("/x", frozenset({"memory"}))], unified=True).limits(step)
