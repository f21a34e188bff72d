from __future__ import annotations

import pytest
from language.conftest import base, package, project, store
from language.project import Project
from python.building import Module

__all__ = ["base", "package", "project", "store"]


@pytest.fixture
def module(project: Project) -> Module:
    return Module(project)
