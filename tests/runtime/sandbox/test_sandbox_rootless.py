"""The same as an ordinary user."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from tests.runtime.sandbox.stage import (
    USER,
    Box,
    Stage,
    become,
    in_child,
    killed_builder_leaves_nothing,
    processes,
    word_of,
)

from pybuild.compiler.graph import LinuxResources
from pybuild.compiler.ops import NetMode
from pybuild.lang.diagnostics import Cancelled, render
from pybuild.runtime.sandbox import libc, namespaces, subids
from pybuild.runtime.sandbox.errors import LimitError, SandboxError
from pybuild.runtime.sandbox.users import Identity
from pybuild.runtime.solver.types import Cancellation

pytestmark = [pytest.mark.root, pytest.mark.crun, pytest.mark.user]


def test_a_step_of_an_ordinary_user(user_box: Box) -> None:
    def look(stage: Stage) -> str:
        assert namespaces.rootless()
        return stage.sh(
            "id -u; cat /proc/self/status; echo $$; touch /tmp/root; echo x >/proc/sys/kernel/panic"
        ).out

    out = user_box.inside(look)
    assert "CapEff:\t00000000a80425fb" in out
    assert "Seccomp:\t2" in out
    assert out.startswith("0\n")
    assert out.endswith("\n1\n")
    assert (user_box.rootfs / "tmp" / "root").stat().st_uid == user_box.uid


def test_other_ids_are_sub_ids(user_box: Box) -> None:
    identity = Identity(1000, 1001, (10, 63))
    result = user_box.inside(lambda stage: stage.sh("id; touch /tmp/app", identity=identity))
    assert result.out == "uid=1000(app) gid=1001(app) groups=10(wheel),63(audio),1001(app)\n"
    start = subids._granted("/etc/subuid", (USER, str(user_box.uid)))[0][0]
    assert (user_box.rootfs / "tmp" / "app").stat().st_uid == start + 999


@pytest.mark.parametrize("network", [NetMode.UNSET, NetMode.NONE, NetMode.HOST])
def test_networks(user_box: Box, network: NetMode) -> None:
    """A private one only where the user may open /dev/net/tun; else the reason is told."""
    script = "readlink /proc/self/ns/net; ls /sys >/dev/null && cat /etc/hosts | head -n 1"
    result, notices = user_box.inside(lambda stage: (stage.sh(script, network=network), stage.notices))
    space, hosts = result.out.splitlines()
    same = space == os.readlink("/proc/self/ns/net")
    assert same == (network == NetMode.HOST or bool(notices))
    assert hosts == "127.0.0.1\tlocalhost buildkitsandbox"


def test_limits_are_refused(user_box: Box) -> None:
    with pytest.raises(LimitError, match="ordinary user"):
        user_box.inside(lambda stage: stage.run("true", resources=LinuxResources(memory=1 << 20)))


def test_cancellation(user_box: Box) -> None:
    word = word_of(user_box)

    def cancelled(stage: Stage) -> float:
        cancellation = Cancellation()
        threading.Timer(0.3, cancellation.cancel).start()
        begin = time.monotonic()
        with pytest.raises(Cancelled):
            stage.sh(f"(setsid sleep {word} &); sleep {word}", cancellation=cancellation)
        return time.monotonic() - begin

    assert user_box.inside(cancelled) < 5
    assert processes(word) == []


def test_kill_9_of_the_builder(user_box: Box) -> None:
    killed_builder_leaves_nothing(user_box, NetMode.NONE)


def test_no_sub_ids(tmp_path: Path) -> None:
    (tmp_path / "subuid").write_text("someone:100000:65536\nelse:300000:65536\n")
    (tmp_path / "subgid").write_text("someone:100000:65536\n")
    with pytest.raises(SandboxError) as caught:
        subids.maps(64321, 64321, str(tmp_path))
    text = render(caught.value.diagnostic)
    assert "user 64321 has no sub-ids" in text
    assert text.count("64321:365536:65536") == 2
    assert f"{tmp_path}/subuid" in text
    assert f"{tmp_path}/subgid" in text


def test_too_few_sub_ids(tmp_path: Path) -> None:
    for name in ("subuid", "subgid"):
        (tmp_path / name).write_text("64321:100000:1000\n")
    with pytest.raises(SandboxError, match="too few sub-ids"):
        subids.maps(64321, 64321, str(tmp_path))


def test_ranges_are_joined_and_may_stand_under_the_number(tmp_path: Path) -> None:
    (tmp_path / "subuid").write_text("# comment\nroot:100000:40000\n0:200000:40000\nbad line\n")
    (tmp_path / "subgid").write_text("root:5:70000\n")
    made = subids.maps(0, 7, str(tmp_path))
    assert made.uids == [(0, 1), (100000, 40000), (200000, 40000)]
    assert made.gids == [(7, 1), (5, 70000)]


def test_missing_newuidmap_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subids, "find_program", lambda name: None)
    with pytest.raises(SandboxError, match="newuidmap is missing") as caught:
        subids.maps(0, 0)
    assert "uidmap" in render(caught.value.diagnostic) or "shadow" in render(caught.value.diagnostic)


def enter_limited(uid: int) -> str:
    """Enter as user `uid` inside a user namespace, mapped one to one, in which no other may be made."""
    read, write = os.pipe()
    outer = os.getpid()
    helper = os.fork()
    if helper == 0:
        os.read(read, 1)
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{outer}/{name}").write_text("0 0 4294967295")
        os._exit(0)
    libc.unshare(libc.CLONE_NEWUSER)
    os.write(write, b"1")
    os.waitpid(helper, 0)
    Path("/proc/sys/user/max_user_namespaces").write_text("0")
    become(uid)
    try:
        namespaces.enter("/tmp")
    except SandboxError as error:
        return render(error.diagnostic)
    return "entered"


def test_forbidden_user_namespaces_name_the_setting(ordinary_user: int) -> None:
    before = Path("/proc/sys/user/max_user_namespaces").read_text()
    text = in_child(lambda: enter_limited(ordinary_user))
    assert "user.max_user_namespaces = 0" in text
    assert "sysctl -w user.max_user_namespaces=65536" in text
    assert Path("/proc/sys/user/max_user_namespaces").read_text() == before
