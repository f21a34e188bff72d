from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.builder.place import Place
from tests.support.fixtures import module_store as store

from pybuild.builder import Builder

__all__ = ["store"]


@pytest.fixture
def place(tmp_path: Path, base: Path, store: Path) -> Place:
    return Place(tmp_path, base, store)


@pytest.fixture
def builder(place: Place) -> Iterator[Builder]:
    """A builder of the place's project, in this process."""
    with place.builder() as made:
        yield made
