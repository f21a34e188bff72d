from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from language.conftest import base
from python_call.userproject import UserProject
from python_qa.program import Program

__all__ = ["base"]


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
