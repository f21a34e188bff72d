"""Devices of the machine stay out of steps, by a filter or, where none works, without one."""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.runtime.sandbox.stage import Box, Stage
from tests.runtime.sandbox.test_sandbox_containers import Watched
from tests.support.controlgroups import GROUPS, block_device, points, read_only, version_2

from pybuild.compiler.ops import NetMode
from pybuild.lang.diagnostics import render
from pybuild.runtime.sandbox import devicefilter, find, libc
from pybuild.runtime.sandbox.container import Container
from pybuild.runtime.sandbox.errors import NotStarted
from pybuild.runtime.sandbox.step import StepMount

pytestmark = [pytest.mark.root, pytest.mark.crun]

MKNOD = 1 << 27


def nodes(box: Box) -> tuple[int, int]:
    """Put nodes of a block device that root may open in the root, and in a directory beside it to be mounted."""
    major, minor = block_device()
    beside = box.directory / "beside"
    beside.mkdir()
    for path in (box.rootfs / "node", beside / "node"):
        os.mknod(path, stat.S_IFBLK | 0o666, os.makedev(major, minor))
    return major, minor


def tried(stage: Stage, numbers: tuple[int, int], *, readonly: bool = False) -> list[str]:
    """What a step reaches of a block device: by a node that it makes, and those of its root and of a mount."""
    script = f"""
        mknod /dev/own b {numbers[0]} {numbers[1]} && echo made
        for node in /dev/own /tmp/own /node /mounted/node; do head -c 1 $node >/dev/null && echo opened $node; done
        head -c 1 /dev/zero /dev/urandom >/dev/null && echo x >/dev/null && echo ordinary
        mkdir -p /writable && echo writable
        echo capabilities $(grep CapEff /proc/self/status)
    """
    mounts = [
        StepMount("/mounted", str(stage.box.directory / "beside")),
        StepMount("/tmp", options=["mode=1777"]),
    ]
    lines = stage.sh(script, mounts=mounts, readonly=readonly).out.splitlines()
    (capabilities,) = (line for line in lines if line.startswith("capabilities"))
    return [
        *(line for line in lines if line != capabilities),
        *(["may make nodes"] if int(capabilities.split()[-1], 16) & MKNOD else []),
    ]


@pytest.mark.parametrize("readonly", [False, True])
def test_without_a_filter(box: Box, readonly: bool) -> None:
    numbers = nodes(box)

    def work(stage: Stage) -> tuple[str, list[str]]:
        return stage.unfiltered, tried(stage, numbers, readonly=readonly)

    reason, reached = box.inside(work, before=read_only)
    assert reason == "the control groups are mounted read-only"
    assert reached == ["ordinary", *([] if readonly else ["writable"])]


def test_with_a_filter(any_box: Box) -> None:
    """The ordinary situation: nodes can be made, as in BuildKit, and not be opened."""
    numbers = nodes(any_box)
    reason, reached = any_box.inside(lambda stage: (stage.unfiltered, tried(stage, numbers)))
    assert reason == ""
    assert reached == ["made", "ordinary", "writable", "may make nodes"]
    assert not [path for point in points() for path in os.listdir(point) if any_box.name in path]


def test_a_filter_of_version_2(any_box: Box) -> None:
    numbers = nodes(any_box)
    reason, reached = any_box.inside(
        lambda stage: (stage.unfiltered, tried(stage, numbers)), before=version_2
    )
    assert reason == ""
    assert reached == ["made", "ordinary", "writable", "may make nodes"]


def no_programs() -> None:
    """Version 2, and a kernel that loads no BPF program: a seccomp filter refuses bpf(2)."""
    version_2()
    number = devicefilter._BPF[os.uname().machine]
    # Load the system call's number; is it bpf? then EPERM; else allow.
    rules = ((0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000))
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *rule) for rule in rules))
    whole = ctypes.create_string_buffer(struct.pack("@HP", len(rules), ctypes.addressof(program)))
    set_seccomp, filtering = 22, 2
    assert ctypes.CDLL(None).prctl(set_seccomp, ctypes.c_ulong(filtering), whole, 0, 0) == 0


def no_controller() -> None:
    """Version 1 without the hierarchy of the devices controller."""
    libc.umount(f"{GROUPS}/devices", libc.MNT_DETACH)


@pytest.mark.parametrize(
    ("before", "told"),
    [
        (no_programs, "a device filter can't be set on a control group: Operation not permitted"),
        (no_controller, "the control groups have no devices controller"),
    ],
)
def test_groups_that_filter_nothing(box: Box, before: Callable[[], None], told: str) -> None:
    if not os.path.ismount(f"{GROUPS}/devices") or os.uname().machine not in devicefilter._BPF:
        pytest.skip("the kernel has no control groups of version 1, or bpf(2) has an unknown number")
    numbers = nodes(box)
    reason, reached = box.inside(lambda stage: (stage.unfiltered, tried(stage, numbers)), before=before)
    assert reason == told
    assert reached == ["ordinary", "writable"]


def test_runc_starts_nothing_without_control_groups(tmp_path: Path) -> None:
    runtime = find.find_program("runc")
    if runtime is None:
        pytest.skip("needs runc")
    with pytest.raises(NotStarted) as caught:
        Box(tmp_path, runtime).inside(lambda stage: stage.run("true"), before=read_only)
    assert "= help: crun can: " in render(caught.value.diagnostic)


def test_a_process_that_joins(box: Box) -> None:
    def work(stage: Stage) -> bytes:
        container = Container(stage.sandbox, stage.step("sleep", "9"))
        first = Watched(container.start(joined=True))
        try:
            joined = Watched(container.join(stage.step("sh", "-c", "mknod /node c 1 3 || echo refused")))
            joined.code(container)
            return joined.written[1]
        finally:
            first.process.kill()
            first.code(container)
            container.close()

    assert box.inside(work, before=read_only) == b"refused\n"


def test_control_groups_are_read_only(any_box: Box) -> None:
    script = f"for d in {GROUPS} {GROUPS}/*/; do mkdir $d/inside && echo $d; done; ls {GROUPS}"
    result = any_box.inside(lambda stage: stage.sh(script))
    assert GROUPS not in result.out
    assert result.out.split()
    assert "Read-only file system" in result.err


def test_a_mount_of_the_step_replaces_control_groups(any_box: Box) -> None:
    script = f"touch {GROUPS}/file && ls {GROUPS}"
    result = any_box.inside(lambda stage: stage.sh(script, mounts=[StepMount(GROUPS)]))
    assert result.out == "file\n"


@pytest.mark.user
def test_control_groups_of_an_ordinary_user_in_the_host_network(user_box: Box) -> None:
    """/sys is the host's there, and its control groups are no part of it."""
    result = user_box.inside(lambda stage: stage.sh(f"ls -A {GROUPS}; ls /sys", network=NetMode.HOST))
    assert result.out.startswith("block\n")


@pytest.mark.user
def test_an_ordinary_user_needs_no_filter(user_box: Box) -> None:
    script = "mknod /tmp/node c 1 3 || echo refused; mknod /dev/node b 7 0 || echo refused"
    reason, result = user_box.inside(lambda stage: (stage.unfiltered, stage.sh(script)))
    assert (reason, result.out) == ("", "refused\nrefused\n")
