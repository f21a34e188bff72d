"""A store and snapshotters for file ops; whatever is mounted is in a mount namespace of the tests' own."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.runtime.ops.files.room import Room
from tests.runtime.snapshots.indexes import ShownIndex
from tests.support.fixtures import own_store as store

from pybuild.runtime.content.store import Store
from pybuild.runtime.snapshots.copying import CopySnapshotter
from pybuild.runtime.snapshots.overlay import OverlaySnapshotter
from pybuild.runtime.snapshots.types import Snapshotter

__all__ = ["_root_only", "overlay_room", "store"]

MADE: dict[str, type] = {"overlay": OverlaySnapshotter, "copy": CopySnapshotter, "index": ShownIndex}


@pytest.fixture(autouse=True)
def _root_only(mounts_of_root: None) -> None:
    """For all tests of this folder."""


@pytest.fixture(params=["overlay", "copy", "index"])
def room(request: pytest.FixtureRequest, store: Store, tmp_path: Path) -> Room:
    snapshotter: Snapshotter = MADE[request.param](store)
    return Room(store, snapshotter, tmp_path)


@pytest.fixture
def overlay_room(store: Store, tmp_path: Path) -> Room:
    return Room(store, OverlaySnapshotter(store), tmp_path)
