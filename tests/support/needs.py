"""A pytest plugin: markers for what a machine must have.

A test whose marker asks for something that is missing is skipped with the reason. With PYBUILD_CI=1 a skip is a
failure, except where the reason is the machine's kernel, processor or file system: no package brings those.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator

import pytest

CI = os.environ.get("PYBUILD_CI", "") not in ("", "0")

MACHINE = (
    "the kernel ",
    "this processor ",
    "system call numbers",
    "on this file system",
    "no user attributes",
)
"""Parts of reasons for which a test may be skipped everywhere."""


def lacks_programs(*programs: str) -> str:
    path = os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin"
    missing = [name for name in programs if shutil.which(name, path=path) is None]
    return f"needs {', '.join(missing)}" if missing else ""


def lacks_root() -> str:
    return "" if os.geteuid() == 0 else "needs the root user"


def _lacks_docker() -> str:
    host = os.environ.get("DOCKER_HOST", "")
    if not host.startswith("unix://") or not os.path.exists(host.removeprefix("unix://")):
        return "needs a Docker daemon, which ./test starts"
    return lacks_programs("docker")


NEEDS: dict[str, Callable[[], str]] = {
    "root": lacks_root,
    "crun": lambda: lacks_programs("crun"),
    "registry": lambda: lacks_programs("docker-registry"),
    "docker": _lacks_docker,
    "qemu": lambda: lacks_programs("qemu-aarch64-static"),
    "user": lambda: lacks_root() or lacks_programs("useradd", "newuidmap"),
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
