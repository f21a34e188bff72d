"""Situations in which control groups filter no devices, and a device to try it with."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from pybuild.runtime.sandbox import libc

GROUPS = "/sys/fs/cgroup"
_REMOUNT = 32
_SCRIPT = (
    f"for point in $(awk '$5 ~ \"^{GROUPS}\" {{print $5}}' /proc/self/mountinfo | sort -r); do "
    'mount -o remount,bind,ro "$point" || exit 1; done; exec "$@"'
)
THROUGH_READ_ONLY = ("unshare", "--mount", "sh", "-c", _SCRIPT, "sh")
"""The words of a command that runs another one where the control groups are mounted read-only."""


def points() -> list[str]:
    """The mount points of control groups in this process's namespace, those inside others first."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return sorted({line.split()[4] for line in lines if line.split()[4].startswith(GROUPS)}, reverse=True)


def read_only() -> None:
    """Mount the control groups of this process's mount namespace read-only."""
    for point in points():
        libc.mount("none", point, flags=_REMOUNT | libc.MS_BIND | libc.MS_RDONLY)


def version_2() -> None:
    """Replace the control groups of this process's mount namespace by those of version 2."""
    for point in points():
        libc.umount(point, libc.MNT_DETACH)
    libc.mount("cgroup2", GROUPS, "cgroup2")


def block_device() -> tuple[int, int]:
    """The numbers of a block device of the machine that root may open for reading."""
    with tempfile.TemporaryDirectory() as directory:
        for path in sorted(Path("/sys/class/block").glob("*/dev")):
            major, minor = map(int, path.read_text().split(":"))
            node = os.path.join(directory, path.parent.name)
            os.mknod(node, stat.S_IFBLK | 0o600, os.makedev(major, minor))
            try:
                os.close(os.open(node, os.O_RDONLY | os.O_CLOEXEC))
            except OSError:
                continue
            return major, minor
    pytest.skip("the kernel lets root open no block device")
