from __future__ import annotations

from pathlib import Path

import pytest
from tests.replay.project import Project
from tests.support.fixtures import module_store as store

__all__ = ["store"]


@pytest.fixture
def project(tmp_path: Path, store: Path, package: Path) -> Project:
    return Project(tmp_path, store, package)


@pytest.fixture
def alone(tmp_path: Path, package: Path) -> Project:
    """A project with a store of its own."""
    return Project(tmp_path, tmp_path / "store", package)
