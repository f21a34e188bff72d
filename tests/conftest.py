"""What the whole suite shares: markers for what a machine must have, and an ordinary user.

A test whose marker asks for something that is missing is skipped with the reason. With PYBUILD_CI=1 a skip is a
failure, except where the reason is the machine's kernel, processor or file system: no package brings those.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Generator

import pytest
from hypothesis import settings

# Tests fork, and what they fork enters namespaces: gRPC must not start its threads anew there.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

# Without deadlines: they are of wall time, which other work on the machine decides about. `processor_time` has bounds.
settings.register_profile("suite", max_examples=40, deadline=None)
settings.register_profile("thorough", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))

pytest_plugins = ["tests.support.daemons", "tests.support.processor_time"]

USER = "pybuild-test"
CI = os.environ.get("PYBUILD_CI", "") not in ("", "0")

MACHINE = (
    "the kernel ",
    "this processor ",
    "system call numbers",
    "on this file system",
    "no user attributes",
)
"""Parts of reasons for which a test may be skipped everywhere."""


def _lacks(*programs: str) -> str:
    path = os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin"
    missing = [name for name in programs if shutil.which(name, path=path) is None]
    return f"needs {', '.join(missing)}" if missing else ""


def _lacks_root() -> str:
    return "" if os.geteuid() == 0 else "needs the root user"


def _lacks_docker() -> str:
    host = os.environ.get("DOCKER_HOST", "")
    if not host.startswith("unix://") or not os.path.exists(host.removeprefix("unix://")):
        return "needs a Docker daemon, which ./test starts"
    return _lacks("docker")


NEEDS: dict[str, Callable[[], str]] = {
    "root": _lacks_root,
    "crun": lambda: _lacks("crun"),
    "registry": lambda: _lacks("docker-registry"),
    "docker": _lacks_docker,
    "qemu": lambda: _lacks("qemu-aarch64-static"),
    "user": lambda: _lacks_root() or _lacks("useradd", "newuidmap"),
}


def pytest_runtest_setup(item: pytest.Item) -> None:
    for name, lacks in NEEDS.items():
        if item.get_closest_marker(name) is not None:
            reason = lacks()
            if reason:
                pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        _fail_in_ci(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.skipped:
        _fail_in_ci(report)
    return report


def _fail_in_ci(report: pytest.TestReport | pytest.CollectReport) -> None:
    reason = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if CI and not any(part in reason for part in MACHINE):
        report.outcome = "failed"
        report.longrepr = f"skipped, and PYBUILD_CI allows no skips: {reason}"


@pytest.fixture(scope="session")
def ordinary_user() -> int:
    """uid of an ordinary user with sub-ids; made once, whichever process asks first."""
    reason = _lacks_root() or _lacks("useradd", "newuidmap")
    if reason:
        pytest.skip(reason)
    with open(os.path.join(tempfile.gettempdir(), f"{USER}.lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            return pwd.getpwnam(USER).pw_uid
        except KeyError:
            subprocess.run(["useradd", "--create-home", USER], check=True, capture_output=True)
            return pwd.getpwnam(USER).pw_uid
