from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from replay.project import Project


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store that the tests of a module share: contexts, and so records, are their own."""
    path = tmp_path_factory.mktemp("store")
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def project(tmp_path: Path, store: Path) -> Project:
    return Project(tmp_path, store)
