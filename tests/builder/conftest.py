from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.builder.place import Place
from tests.language.conftest import base

from pybuild.builder import Builder

__all__ = ["base"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store that the tests of a module share."""
    path = tmp_path_factory.mktemp("embedded")
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def place(tmp_path: Path, base: Path, store: Path) -> Place:
    return Place(tmp_path, base, store)


@pytest.fixture
def builder(place: Place) -> Iterator[Builder]:
    """A builder of the place's project, in this process."""
    with place.builder() as made:
        yield made
