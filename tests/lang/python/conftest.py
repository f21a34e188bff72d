from __future__ import annotations

import pytest
from tests.lang.python.building import Module
from tests.language.conftest import base, package, project, store
from tests.language.project import Project

__all__ = ["base", "package", "project", "store"]


@pytest.fixture
def module(project: Project) -> Module:
    return Module(project)
