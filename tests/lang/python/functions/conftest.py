from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lang.python.functions.userproject import UserProject


@pytest.fixture
def user(tmp_path: Path) -> Iterator[UserProject]:
    """A project of build modules."""
    with UserProject(tmp_path / "project", tmp_path / "run") as made:
        yield made
