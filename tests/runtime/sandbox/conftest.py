"""Boxes to run steps in: as root with each runtime, and as an ordinary user."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.runtime.sandbox.stage import Box

from pybuild.runtime.sandbox import find


def needs_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")


@pytest.fixture
def box(tmp_path: Path) -> Box:
    needs_root()
    runtime = find.find_program("crun")
    if runtime is None or shutil.which("busybox") is None:
        pytest.skip("needs crun and busybox")
    return Box(tmp_path, runtime)


@pytest.fixture(params=["crun", "runc"])
def any_box(request: pytest.FixtureRequest, tmp_path: Path) -> Box:
    needs_root()
    runtime = find.find_program(request.param)
    if runtime is None or shutil.which("busybox") is None:
        pytest.skip(f"needs {request.param} and busybox")
    return Box(tmp_path, runtime)


@pytest.fixture(params=["crun", "runc"])
def user_box(request: pytest.FixtureRequest, ordinary_user: int) -> Iterator[Box]:
    runtime = find.find_program(request.param)
    if runtime is None or shutil.which("busybox") is None or find.find_program("newuidmap") is None:
        pytest.skip("needs an OCI runtime, busybox and newuidmap")
    directory = Path(tempfile.mkdtemp(prefix="pybuild-user-"))
    try:
        directory.chmod(0o755)
        made = Box(directory, runtime)
        made.uid = ordinary_user
        for path in (directory, *directory.rglob("*")):
            os.chown(path, ordinary_user, ordinary_user, follow_symlinks=False)
        yield made
    finally:
        shutil.rmtree(directory)
