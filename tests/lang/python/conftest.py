from __future__ import annotations

import pytest
from tests.lang.python.building import Module
from tests.language.conftest import project, store
from tests.language.project import Project

__all__ = ["project", "store"]


@pytest.fixture
def module(project: Project) -> Module:
    return Module(project)
