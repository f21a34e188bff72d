from __future__ import annotations

import compileall
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.replay.project import Project

import pybuild


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a copy of the program, which nobody edits while the tests run."""
    path = tmp_path_factory.mktemp("package")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(pybuild.__file__).parent, path / "pybuild", ignore=ignored)
    compileall.compile_dir(path, quiet=2)
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store that the tests of a module share: contexts, and so records, are their own."""
    path = tmp_path_factory.mktemp("store")
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def project(tmp_path: Path, store: Path, package: Path) -> Project:
    return Project(tmp_path, store, package)


@pytest.fixture
def alone(tmp_path: Path, package: Path) -> Project:
    """A project with a store of its own."""
    return Project(tmp_path, tmp_path / "store", package)
