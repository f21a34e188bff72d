"""What needs no container: configuration, seccomp profile, resolver files, finding programs, paths."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pybuild.compiler.ops import Meta, NetMode, SecurityMode
from pybuild.lang.diagnostics import render
from pybuild.runtime.sandbox import files, find, rootpath, seccomp, spec
from pybuild.runtime.sandbox.errors import SandboxError
from pybuild.runtime.sandbox.spec import StepContext
from pybuild.runtime.sandbox.step import Step, StepMount
from pybuild.runtime.sandbox.users import Identity


def around(**changes: object) -> StepContext:
    given: dict[str, object] = {
        "hosts": "/h",
        "resolv_conf": "/r",
        "netns": "",
        "cgroup": "/g",
        "rootless": False,
        "unified": False,
        "unfiltered": False,
    }
    return StepContext(**(given | changes))  # type: ignore[arg-type]


def configured(step: Step, **changes: object) -> dict[str, object]:
    found: dict[str, object] = json.loads(spec.configuration(step, around(**changes), {}))
    return found


def test_odd_strings_survive() -> None:
    """Quotes, control characters and bytes that are no UTF-8 reach the configuration as they are."""
    args = ('a"b', "line\nbreak", "tab\t", "ü", "\\")
    document = configured(Step(b"/ro\xfft", Meta(args=args, env=("A=\x01",)), Identity()))
    assert document["process"]["args"] == list(args)  # type: ignore[index]
    assert os.fsencode(document["root"]["path"]) == b"/ro\xfft"  # type: ignore[index]


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_profile_is_valid_and_built_once(machine: str) -> None:
    text = seccomp.profile(machine)
    assert text is seccomp.profile(machine)
    profile = json.loads(text or "")
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    allowed = {name for rule in profile["syscalls"] if "args" not in rule for name in rule["names"]}
    assert {"read", "chroot", "ptrace", "openat2", "fchmodat2"} <= allowed
    assert not {"mount", "keyctl", "unshare", "io_uring_setup", "bpf", "userfaultfd", "setns"} & allowed
    assert ("arch_prctl" in allowed) == (machine == "x86_64")


def test_an_unknown_machine_has_no_profile() -> None:
    assert seccomp.profile("pdp11") is None


def test_insecure_has_no_filter_and_no_hidden_paths() -> None:
    document = configured(Step(b"/r", Meta(args=("x",)), Identity(), security=SecurityMode.INSECURE))
    linux = document["linux"]
    assert isinstance(linux, dict)
    assert "seccomp" not in linux
    assert linux["maskedPaths"] == []


def test_own_mounts_come_by_depth_and_replace_the_default_ones() -> None:
    mounts = [
        StepMount("/a/b", size=1),
        StepMount("/a", "/s"),
        StepMount("/etc/hosts", "/mine"),
        StepMount("/a!", "/t"),
    ]
    made = spec.mounts(Step(b"/r", Meta(), Identity(), mounts=mounts), around())
    places = [str(mount["destination"]) for mount in made]
    assert places.index("/a") < places.index("/a/b")
    assert places.count("/etc/hosts") == 1
    assert next(mount for mount in made if mount["destination"] == "/etc/hosts")["source"] == "/mine"
    assert "/run" not in places


def test_network_namespaces() -> None:
    def networks(netns: str | None) -> list[dict[str, str]]:
        linux = configured(Step(b"/r", Meta(), Identity(), network=NetMode.NONE), netns=netns)["linux"]
        assert isinstance(linux, dict)
        return [space for space in linux["namespaces"] if space["type"] == "network"]

    assert networks(None) == []
    assert networks("") == [{"type": "network"}]
    assert networks("/n") == [{"type": "network", "path": "/n"}]


@pytest.mark.parametrize(
    ("host", "forwarder", "expected"),
    [
        ("nameserver 10.0.0.1\nsearch a b\n", "f", "nameserver 10.0.0.1\nsearch a b\n"),
        ("nameserver 127.0.0.53\noptions edns0\n", "f", "nameserver f\noptions edns0\n"),
        ("nameserver ::1\nnameserver 127.0.0.1\nnameserver 9.9.9.9\n", "f", "nameserver 9.9.9.9\n"),
        ("# note\n; other\n\nnameserver fe80::1%eth0\n", None, "nameserver fe80::1%eth0\n"),
    ],
)
def test_resolv_conf(host: str, forwarder: str | None, expected: str) -> None:
    assert files.resolv_conf(host, forwarder) == expected


def test_without_resolvers_public_ones_are_used() -> None:
    assert files.resolv_conf("search x\n").startswith("nameserver 8.8.8.8\nnameserver 8.8.4.4\n")


@pytest.mark.parametrize(
    ("release", "command"),
    [
        ("ID=debian\n", "apt-get install -y crun"),
        ('ID=linuxmint\nID_LIKE="ubuntu debian"\n', "apt-get install -y crun"),
        ("ID=rocky\nID_LIKE='rhel centos fedora'\n", "dnf install -y crun"),
        ("ID=alpine\n", "apk add crun"),
        ("ID=arch\n", "pacman -S --noconfirm crun"),
        ('ID="opensuse-tumbleweed"\n', "zypper install -y crun"),
        ("ID=plan9\n", "with the system's package manager, package crun"),
    ],
)
def test_install_commands(tmp_path: Path, release: str, command: str) -> None:
    path = tmp_path / "os-release"
    path.write_text(release)
    assert find.install_command("crun", str(path)).removeprefix("sudo ") == command


def test_no_runtime_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PYBUILD_RUNTIME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(find, "_MORE_PLACES", ())
    with pytest.raises(SandboxError, match="no OCI runtime found") as caught:
        find.find_runtime()
    assert "install" in render(caught.value.diagnostic)
    (tmp_path / "runc").write_text("#!/bin/sh\n")
    (tmp_path / "runc").chmod(0o755)
    assert find.find_runtime() == str(tmp_path / "runc")
    (tmp_path / "crun").symlink_to("runc")
    assert find.find_runtime() == str(tmp_path / "crun")
    monkeypatch.setenv("PYBUILD_RUNTIME", "runc")
    assert find.find_runtime() == str(tmp_path / "runc")
    monkeypatch.setenv("PYBUILD_RUNTIME", "/no/such")
    with pytest.raises(SandboxError, match="PYBUILD_RUNTIME names /no/such"):
        find.find_runtime()


def test_paths_resolve_inside_the_root(tmp_path: Path) -> None:
    root = os.fsencode(tmp_path / "root")
    os.makedirs(root + b"/real/dir")
    os.symlink("/real", root + b"/absolute")
    os.symlink("../../../real/dir", root + b"/real/up")
    os.symlink("loop", root + b"/loop")
    assert rootpath.resolve(root, "/absolute/dir/new") == root + b"/real/dir/new"
    assert rootpath.resolve(root, "absolute/up/../x") == root + b"/real/x"
    assert rootpath.resolve(root, "/../../etc") == root + b"/etc"
    assert rootpath.resolve(root, "/") == root
    with pytest.raises(OSError, match="symbolic links"):
        rootpath.resolve(root, "/loop/x")


def test_mount_points_keep_what_the_step_made_of_them(tmp_path: Path) -> None:
    root = os.fsencode(tmp_path)
    (tmp_path / "etc").mkdir()
    points = files.MountPoints(root)
    points.prepare(
        [
            {"destination": "/etc/hosts", "type": "bind", "source": "/dev/null"},
            {"destination": "/gone", "type": "tmpfs", "source": "tmpfs"},
            {"destination": "/filled", "type": "tmpfs", "source": "tmpfs"},
            {"destination": "/etc/resolv.conf", "type": "bind", "source": "/dev/null"},
        ]
    )
    (tmp_path / "etc" / "hosts").write_text("of the step\n")
    (tmp_path / "gone").rmdir()
    (tmp_path / "filled" / "x").touch()
    points.clean()
    points.clean()
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
        "etc",
        "etc/hosts",
        "filled",
        "filled/x",
    ]
