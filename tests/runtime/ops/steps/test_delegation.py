"""Control groups of version 2: which part is delegated to a user, and steps in it."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.runtime.sandbox.stage import Box, Stage, in_child

from pybuild.compiler.graph import LinuxResources
from pybuild.compiler.ops import Meta
from pybuild.runtime.sandbox import cgroups, find, libc
from pybuild.runtime.sandbox.cgroups import Cgroups
from pybuild.runtime.sandbox.errors import LimitError
from pybuild.runtime.sandbox.step import Step
from pybuild.runtime.sandbox.users import Identity

UNIFIED = Path("/sys/fs/cgroup/unified")
HUGE = "hugetlb.2MB.max"
MOUNTED = "30 23 0:26 / {point} rw - cgroup2 cgroup2 rw\n"


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hierarchy of plain files at which `detect` is made to look."""
    top = tmp_path / "cgroup"
    for name in ("user", "user/session", "user/manager", "user/manager/app", "user/manager/app/build"):
        group(top / name)
    found = [(str(top), frozenset({"cpu"}))]
    monkeypatch.setattr(cgroups, "_hierarchies", lambda _: ([], found))
    return top


def group(path: Path, controllers: str = "cpu memory", on: str = "cpu") -> None:
    path.mkdir(parents=True)
    (path / "cgroup.controllers").write_text(controllers + "\n")
    (path / "cgroup.subtree_control").write_text(on + "\n")
    (path / "cgroup.procs").write_text("")


def detected(top: Path, own: str, *writable: str) -> Cgroups:
    """As seen by a process in `own` that may write to the groups `writable`."""
    (top.parent / "own").write_text(f"1:name=systemd:/x\n0::{own}\n")
    may = {str(top / name) for name in writable}

    def access(path: str, mode: int) -> bool:
        return path in may or os.path.dirname(path) in may

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "access", access)
        return Cgroups.detect(rootless=True, own=str(top.parent / "own"))


def test_steps_with_limits_lie_beside_the_build(fake: Path) -> None:
    own = "/user/manager/app/build"
    found = detected(fake, own, "user/manager", "user/manager/app", "user/manager/app/build")
    assert (found.usable, found.delegated, found.unified) == (True, True, True)
    assert found.base == "/user/manager/app"
    assert found.path("w", "w-1") == "/user/manager/app/pybuild-w/w-1"
    assert found.directories("/user/manager/app/pybuild-w") == [f"{fake}/user/manager/app/pybuild-w"]
    assert found.grouped({"memory": {}})
    assert not found.grouped({})
    (fake / "user/manager/app/pybuild-dead").mkdir()
    assert found.leftovers(["dead", "living"]) == ["/user/manager/app/pybuild-dead"]


@pytest.mark.parametrize("writable", [[], ["user/session"], ["user/manager/app/build"]])
def test_nothing_is_delegated(fake: Path, writable: list[str]) -> None:
    found = detected(fake, "/user/manager/app/build", *writable)
    assert not found.usable
    assert "none is delegated" in found.reason


def limited(found: Cgroups, *, memory: int = 0, cpu_quota: int = 0, pids: int = 0) -> object:
    resources = LinuxResources(memory=memory, cpu_quota=cpu_quota)
    return found.limits(Step(b"/", Meta(), Identity(), pids=pids, resources=resources))


def test_controllers_are_switched_on_where_they_are_delegated(fake: Path) -> None:
    found = detected(fake, "/user/manager/app/build", "user/manager/app")
    control = fake / "user/manager/app/cgroup.subtree_control"
    limited(found, cpu_quota=1000)
    assert control.read_text() == "cpu\n"
    assert limited(found, memory=1 << 20) == {"memory": {"limit": 1 << 20}}
    assert control.read_text() == "+memory"
    with pytest.raises(LimitError, match=r"a pids limit .* no such controller is delegated to this user"):
        limited(found, pids=3)


def test_a_controller_that_is_not_let_go(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(directory: str, controller: str) -> None:
        raise OSError(16, "Device or resource busy")

    found = detected(fake, "/user/manager/app/build", "user/manager/app")
    monkeypatch.setattr(cgroups, "_switch_on", refuse)
    with pytest.raises(LimitError, match=r"a memory limit .* can't be switched on below .*app: Device or"):
        limited(found, memory=1 << 20)


@pytest.mark.parametrize(
    ("unified", "files", "killed", "refused"),
    [
        (True, {"memory.events": "low 0\noom 1\noom_kill 2\n", "pids.events": "max 3\n"}, 2, 3),
        (False, {"memory.oom_control": "under_oom 0\noom_kill 1\n", "pids.events": "max 0\n"}, 1, 0),
        (True, {}, 0, 0),
        (True, {"memory.events": "what is this\n", "pids.events": "max\n"}, 0, 0),
    ],
)
def test_counters(tmp_path: Path, unified: bool, files: dict[str, str], killed: int, refused: int) -> None:
    (tmp_path / "g").mkdir()
    for name, text in files.items():
        (tmp_path / "g" / name).write_text(text)
    found = Cgroups([(str(tmp_path), frozenset({"memory", "pids"}))], unified)
    assert (found.out_of_memory_kills("/g"), found.refused_processes("/g")) == (killed, refused)


# The real hierarchy of a hybrid host, which has at most controllers that version 1 does not use


def _has_huge_pages() -> bool:
    try:
        return "hugetlb" in (UNIFIED / "cgroup.controllers").read_text().split()
    except OSError:
        return False


@pytest.fixture
def delegated(ordinary_user: int) -> Iterator[str]:
    """The name of a group that belongs to the user, in a hierarchy of version 2."""
    if not _has_huge_pages():
        pytest.skip("the kernel has no hybrid control groups with huge pages in version 2")
    name = f"test-{os.urandom(4).hex()}"
    (UNIFIED / "cgroup.subtree_control").write_text("+hugetlb")
    (UNIFIED / name / "build").mkdir(parents=True)
    for path in (UNIFIED / name).rglob("*"):
        if path.is_dir() or path.name in ("cgroup.procs", "cgroup.subtree_control"):
            os.chown(path, ordinary_user, -1)
    for own in ("", "cgroup.procs", "cgroup.subtree_control"):
        os.chown(UNIFIED / name / own, ordinary_user, -1)
    yield name
    for path in sorted((UNIFIED / name).rglob("*/"), reverse=True):
        path.rmdir()
    (UNIFIED / name).rmdir()
    with suppress(OSError):
        (UNIFIED / "cgroup.subtree_control").write_text("-hugetlb")


@pytest.mark.root
@pytest.mark.crun
@pytest.mark.user
@pytest.mark.parametrize("runtime", ["crun", "runc"])
def test_an_ordinary_users_step_in_a_delegated_group(
    delegated: str, ordinary_user: int, runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = find.find_program(runtime)
    if program is None or shutil.which("busybox") is None:
        pytest.skip(f"needs {runtime} and busybox")
    limits = {"hugepageLimits": [{"pageSize": "2MB", "limit": 4 << 20}]}
    monkeypatch.setattr(Cgroups, "limits", lambda _, step: limits if step.pids else {})
    directory = Path(tempfile.mkdtemp(prefix="pybuild-user-"))
    directory.chmod(0o755)
    box = Box(directory, program)
    for path in (directory, *directory.rglob("*")):
        os.chown(path, ordinary_user, -1, follow_symlinks=False)

    def build() -> object:
        """As the user's process in the group `build` of a machine that has version 2 alone."""
        libc.unshare(libc.CLONE_NEWNS)
        libc.mount("none", "/", flags=libc.MS_REC | libc.MS_PRIVATE)
        libc.mount("cgroup2", "/sys/fs/cgroup", "cgroup2")
        Path(f"/sys/fs/cgroup/{delegated}/build/cgroup.procs").write_text("0")
        os.initgroups(pwd.getpwuid(ordinary_user).pw_name, pwd.getpwuid(ordinary_user).pw_gid)
        os.setresgid(*[pwd.getpwuid(ordinary_user).pw_gid] * 3)
        os.setresuid(*[ordinary_user] * 3)
        stage = Stage(box, program)
        try:
            script = f"cat /proc/self/cgroup; cat /sys/fs/cgroup/{HUGE}"
            told = stage.sh(script, pids=1)
            plain = stage.sh("cat /proc/self/cgroup")
            return (told.out, told.err, told.code), plain.out, stage.sandbox.cgroups.base
        finally:
            stage.close()

    try:
        told, plain, base = in_child(build)
    finally:
        shutil.rmtree(directory)
    assert base == f"/{delegated}"
    assert told[2] == 0, told
    assert f"{4 << 20}" in told[0], told
    if runtime == "crun":  # runc gives every step a group
        assert f"0::/{delegated}/build\n" in plain
    assert not list((UNIFIED / delegated).glob("pybuild-*"))
