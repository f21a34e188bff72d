"""./pybuildw: what it sets up and when, with programs in place of Python, pip and the package manager that write
down how they were called."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("lang", "compiler", "runtime", "stdlib", "src/pybuild")
TOOLS = ("sh", "cat", "cksum", "find", "flock", "id", "mkdir", "mv", "readlink", "rm", "touch", "tr")


class Checkout:
    """A copy of the wrapper with next to nothing around it. `calls` are the lines that the programs wrote."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "checkout"
        self.log = directory / "calls"
        self.bin = directory / "bin"
        self.bin.mkdir(parents=True)
        for folder in FOLDERS:
            (self.directory / folder).mkdir(parents=True)
        (self.directory / "lang" / "a.py").write_text("")
        (self.directory / "pyproject.toml").write_text("")
        shutil.copy(ROOT / "pybuildw", self.directory)
        for name in TOOLS:
            found = shutil.which(name)
            if found:
                (self.bin / name).symlink_to(found)
        self.program(self.bin / "crun", "crun")
        self.environment = {"PATH": str(self.bin), "HOME": str(directory / "home"), "LOG": str(self.log)}

    @property
    def venv(self) -> Path:
        return self.directory / ".venv"

    def program(self, path: Path, name: str, rest: str = "") -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(f'#!/bin/sh\n{{ printf "{name}"; printf " <%s>" "$@"; echo; }} >>"$LOG"\n{rest}\n')
        path.chmod(0o755)

    def installed(self, *, editable: bool = False) -> None:
        """An environment as the wrapper leaves it."""
        self.program(self.venv / "bin" / "pybuild", "pybuild")
        self.program(self.venv / "bin" / "python", "venv-python")
        if editable:
            packages = self.venv / "lib" / "python3.12" / "site-packages"
            packages.mkdir(parents=True)
            (packages / "_pybuildkit.pth").write_text("")
        else:
            (self.venv / "pybuild.stamp").write_text("")
        self.age(60)

    def age(self, seconds: float) -> None:
        """Make the sources older than the installation."""
        before = time.time() - seconds
        for path in (*self.directory.rglob("*"), self.directory):
            if ".venv" not in path.parts and not path.is_symlink():
                os.utime(path, (before, before))

    def run(
        self, *args: str, command: str | Path | None = None, cwd: str | Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(command or self.directory / "pybuildw"), *args],
            env=self.environment,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    @property
    def calls(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_arguments_arrive_as_they_are(checkout: Checkout) -> None:
    checkout.installed()
    assert checkout.run("build", "a b", "", "*", "--x=$HOME").returncode == 0
    assert checkout.calls == ["pybuild <build> <a b> <> <*> <--x=$HOME>"]


def test_the_exit_code_is_pybuilds(checkout: Checkout) -> None:
    checkout.installed()
    checkout.program(checkout.venv / "bin" / "pybuild", "pybuild", "exit 130")
    assert checkout.run().returncode == 130


def test_from_anywhere_and_through_links(checkout: Checkout, tmp_path: Path) -> None:
    checkout.installed()
    (checkout.bin / "deep").mkdir()
    (checkout.bin / "deep" / "second").symlink_to(checkout.directory / "pybuildw")
    (checkout.bin / "first").symlink_to("deep/second")
    assert checkout.run("1", command=checkout.bin / "first", cwd="/").returncode == 0
    assert checkout.run("2", command="./pybuildw", cwd=checkout.directory).returncode == 0
    assert checkout.run("3", command="sh", cwd=checkout.directory).returncode != 0
    by_path = subprocess.run(
        ["sh", "-c", "first 4"],
        env=checkout.environment,
        cwd=tmp_path,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert by_path.returncode == 0
    assert checkout.calls == ["pybuild <1>", "pybuild <2>", "pybuild <4>"]


@pytest.mark.parametrize("change", ["edit", "add", "remove", "project"])
def test_changed_sources_are_installed_again(checkout: Checkout, change: str) -> None:
    checkout.installed()
    future = time.time() + 5
    touched = {
        "edit": checkout.directory / "lang" / "a.py",
        "add": checkout.directory / "runtime" / "b.py",
        "project": checkout.directory / "pyproject.toml",
    }
    if change == "remove":
        (checkout.directory / "lang" / "a.py").unlink()
        os.utime(checkout.directory / "lang", (future, future))
    else:
        touched[change].write_text("")
        os.utime(touched[change], (future, future))
    done = checkout.run("x")
    assert done.returncode == 0, done.stderr
    assert [call.split(" <", 1)[0] for call in checkout.calls] == ["venv-python", "venv-python", "pybuild"]
    assert f"<install> <--quiet> <--disable-pip-version-check> <{checkout.directory}>" in checkout.calls[1]


def test_an_editable_installation_follows_the_sources(checkout: Checkout) -> None:
    checkout.installed(editable=True)
    future = time.time() + 5
    os.utime(checkout.directory / "lang" / "a.py", (future, future))
    checkout.run("x")
    assert checkout.calls == ["pybuild <x>"]
    os.utime(checkout.directory / "pyproject.toml", (future, future))
    checkout.run("x")
    assert any("<-e>" in call for call in checkout.calls)


def test_caches_are_no_sources(checkout: Checkout) -> None:
    checkout.installed()
    cache = checkout.directory / "lang" / "__pycache__"
    cache.mkdir()
    (cache / "a.pyc").write_text("")
    checkout.age(60)
    os.utime(cache / "a.pyc", (time.time() + 5, time.time() + 5))
    checkout.run("x")
    assert checkout.calls == ["pybuild <x>"]


def test_a_failed_installation_leaves_no_stamp(checkout: Checkout) -> None:
    checkout.installed()
    (checkout.venv / "pybuild.stamp").unlink()
    checkout.program(checkout.venv / "bin" / "python", "venv-python", "case $* in *install*) exit 1 ;; esac")
    done = checkout.run("x")
    assert done.returncode == 1
    assert "the installation failed" in done.stderr
    assert not (checkout.venv / "pybuild.stamp").exists()


def test_no_python(checkout: Checkout) -> None:
    done = checkout.run("x")
    assert done.returncode == 1
    assert "no Python 3.11 or later found" in done.stderr


@pytest.fixture
def without_runtime(checkout: Checkout) -> Checkout:
    """Where neither crun nor runc is: on a machine that has one, in directories the wrapper adds to PATH, that
    is not to be had."""
    (checkout.bin / "crun").unlink()
    for name in ("crun", "runc"):
        if shutil.which(name, path="/usr/local/sbin:/usr/sbin:/sbin"):
            text = (checkout.directory / "pybuildw").read_text()
            assert "/usr/local/sbin:/usr/sbin:/sbin" in text
            (checkout.directory / "pybuildw").write_text(
                text.replace("/usr/local/sbin:/usr/sbin:/sbin", "/none")
            )
    checkout.installed()
    return checkout


@pytest.mark.root
@pytest.mark.parametrize(
    ("manager", "calls"),
    [
        ("apt-get", ["apt-get <update> <-qq>", "apt-get <install> <-y> <-qq> <crun>"]),
        ("dnf", ["dnf <install> <-y> <-q> <crun>"]),
        ("apk", ["apk <add> <--quiet> <crun>"]),
        ("pacman", ["pacman <-Sy> <--noconfirm> <--needed> <crun>"]),
        ("zypper", ["zypper <--quiet> <install> <-y> <crun>"]),
    ],
)
def test_a_runtime_is_installed(without_runtime: Checkout, manager: str, calls: list[str]) -> None:
    env = shutil.which("env")
    assert env is not None
    (without_runtime.bin / "env").symlink_to(env)
    without_runtime.program(without_runtime.bin / manager, manager)
    done = without_runtime.run("x")
    assert without_runtime.calls == [*calls, "pybuild <x>"]
    assert "no OCI runtime found" in done.stderr
    assert (
        f"running: {'env DEBIAN_FRONTEND=noninteractive ' if manager == 'apt-get' else ''}{manager}"
        in done.stderr
    )


def test_what_may_not_be_installed_is_said(without_runtime: Checkout) -> None:
    without_runtime.program(without_runtime.bin / "apk", "apk")
    without_runtime.environment["PYBUILD_NO_INSTALL"] = "1"
    done = without_runtime.run("x")
    assert without_runtime.calls == ["pybuild <x>"]
    assert "as root run: apk add --quiet crun" in done.stderr


def test_a_failed_installation_of_a_runtime_stops_nothing(without_runtime: Checkout) -> None:
    without_runtime.program(without_runtime.bin / "apk", "apk", "exit 1")
    done = without_runtime.run("x")
    assert done.returncode == 0
    assert without_runtime.calls[-1] == "pybuild <x>"
    assert "as root run: apk add --quiet crun" in done.stderr


@pytest.mark.growth
def test_it_costs_next_to_nothing(checkout: Checkout) -> None:
    """A few milliseconds on a machine at rest; the bound leaves room for a busy one."""
    checkout.installed()
    times = []
    for _ in range(5):
        start = time.perf_counter()
        checkout.run("x")
        times.append(time.perf_counter() - start)
    assert min(times) < 0.1
