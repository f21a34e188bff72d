from __future__ import annotations

import compileall
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.differential.bases import PLAIN, busybox_layer, write_layout
from tests.language.project import Project

import pybuild


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a copy of the program, which nobody edits while the tests run."""
    path = tmp_path_factory.mktemp("package")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(pybuild.__file__).parent, path / "pybuild", ignore=ignored)
    compileall.compile_dir(path, quiet=2)
    return path


@pytest.fixture(scope="session")
def base() -> Iterator[Path]:
    """An OCI layout of busybox and a few files, readable by all users."""
    directory = Path(tempfile.mkdtemp(prefix="pybuild-base-"))
    directory.chmod(0o755)
    write_layout(directory / "layout", busybox_layer(), json.loads(PLAIN))
    yield directory / "layout"
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store that the session's tests share: what a test runs must be its own where it matters."""
    path = tmp_path_factory.mktemp("store")
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def project(tmp_path: Path, store: Path, package: Path, base: Path) -> Project:
    return Project(tmp_path, store, package, base)


@pytest.fixture
def alone(tmp_path: Path, package: Path, base: Path) -> Project:
    """A project with a store of its own."""
    return Project(tmp_path, tmp_path / "store", package, base)
