from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lang.python.functions.userproject import UserProject
from tests.lang.python.programs.program import Program


@pytest.fixture
def user(tmp_path: Path) -> Iterator[UserProject]:
    """A project of build modules."""
    with UserProject(tmp_path / "project", tmp_path / "run") as made:
        yield made


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    """A directory with the modules of a program."""
    with Program(tmp_path / "program") as made:
        yield made
