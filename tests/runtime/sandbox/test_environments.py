"""What is said where steps can't run, in each kind of place; places are directories with the files that tell them."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from pybuild.lang.diagnostics import render
from pybuild.runtime.sandbox.environments import ENVIRONMENTS, Signs, gains_nothing, here, refused

UNPRIVILEGED = "CapEff:\t0000000000000000\nCapBnd:\t00000000a80425fb\nNoNewPrivs:\t0\nSeccomp:\t2\n"
ORDINARY = "CapEff:\t0000000000000000\nCapBnd:\t000001ffffffffff\nNoNewPrivs:\t0\nSeccomp:\t0\n"
KERNEL = "proc/sys/kernel/osrelease"
RESTRICTED = {"proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n"}

PLACES: dict[str, tuple[Mapping[str, str], Mapping[str, str], str]] = {
    "gitlab": ({"GITLAB_CI": "true"}, {".dockerenv": ""}, "privileged = true"),
    "github-container": ({"GITHUB_ACTIONS": "true"}, {".dockerenv": ""}, "options: --privileged"),
    "github": ({"GITHUB_ACTIONS": "true"}, {}, "sudo pybuild"),
    "kubernetes": ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, {}, "securityContext"),
    "podman": ({}, {"run/.containerenv": ""}, "podman run"),
    "docker": ({}, {".dockerenv": ""}, "docker run"),
    "lxc": ({}, {"proc/1/environ": "A=b\0container=lxc\0"}, "security.nesting=true"),
    "wsl1": ({}, {KERNEL: "4.4.0-19041-Microsoft\n"}, "--set-version"),
    "wsl": ({}, {KERNEL: "5.15.90.1-microsoft-standard-WSL2\n"}, "wsl --update"),
    "container": ({"container": "bubblewrap"}, {}, "CAP_SYS_ADMIN"),
    "host": ({}, {}, "root"),
}


def place(
    root: Path, files: Mapping[str, str], variables: Mapping[str, str], status: str = ORDINARY
) -> Signs:
    for path, text in {"proc/self/status": status, **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return Signs(str(root), variables)


def message(signs: Signs, code: int = errno.EPERM, *, root: bool = False) -> str:
    return render(refused(OSError(code, os.strerror(code)), root=root, signs=signs).diagnostic)


def test_every_kind_has_a_case() -> None:
    assert [each.name for each in ENVIRONMENTS] == list(PLACES)


@pytest.mark.parametrize("root", [False, True], ids=["user", "root"])
@pytest.mark.parametrize("name", PLACES)
def test_each_place_is_recognised_and_helped(tmp_path: Path, name: str, root: bool) -> None:
    variables, files, way = PLACES[name]
    signs = place(tmp_path, files, variables)
    assert here(signs).name == name
    text = message(signs, root=root)
    assert f"this {here(signs).title} " in text
    assert way in text


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    signs = place(
        tmp_path, {".dockerenv": "", "proc/self/attr/current": "docker-default (enforce)\n"}, {}, UNPRIVILEGED
    )
    assert (
        "this Docker container lacks CAP_SYS_ADMIN, which the namespaces that steps run in need"
        in message(signs, root=True)
    )
    user = message(signs)
    assert (
        "this Docker container's seccomp filter and AppArmor profile docker-default (enforce) refuse the"
        in user
    )
    assert "docker run --security-opt seccomp=unconfined" in user


def test_a_sandbox_of_no_known_kind_is_told_by_its_bounds(tmp_path: Path) -> None:
    assert here(place(tmp_path, {}, {}, UNPRIVILEGED)).name == "container"


@pytest.mark.parametrize(
    ("name", "help"),
    [("host", "as root: sysctl -w "), ("docker", "on the machine that it runs on, as root: sysctl")],
)
def test_a_setting_that_forbids_is_named(tmp_path: Path, name: str, help: str) -> None:
    signs = place(tmp_path, {**PLACES[name][1], **RESTRICTED}, {})
    text = message(signs)
    assert "(kernel.apparmor_restrict_unprivileged_userns = 1)" in text
    assert help in text
    assert "kernel.apparmor_restrict_unprivileged_userns=0" in text
    assert "sysctl" not in message(signs, root=True)


def test_a_limit_of_namespaces_is_told_as_it_is(tmp_path: Path) -> None:
    assert "can't be made: No space left on device" in message(place(tmp_path, {}, {}), errno.ENOSPC)


def test_newuidmap_without_privilege(tmp_path: Path) -> None:
    assert gains_nothing(place(tmp_path, {}, {})) is None
    kept = place(
        tmp_path, PLACES["kubernetes"][1], PLACES["kubernetes"][0], ORDINARY.replace("Privs:\t0", "Privs:\t1")
    )
    refusal = gains_nothing(kept)
    assert refusal is not None
    assert "(no_new_privs is set)" in render(refusal.diagnostic)
    assert "allowPrivilegeEscalation: true" in render(refusal.diagnostic)
