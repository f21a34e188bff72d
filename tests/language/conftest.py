from __future__ import annotations

from pathlib import Path

import pytest
from tests.language.project import Project
from tests.support.fixtures import session_store as store

__all__ = ["store"]


@pytest.fixture
def project(tmp_path: Path, store: Path, package: Path, base: Path) -> Project:
    return Project(tmp_path, store, package, base)


@pytest.fixture
def alone(tmp_path: Path, package: Path, base: Path) -> Project:
    """A project with a store of its own."""
    return Project(tmp_path, tmp_path / "store", package, base)
