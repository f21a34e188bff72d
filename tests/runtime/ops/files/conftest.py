"""A store and snapshotters for file ops; whatever is mounted is in a mount namespace of the tests' own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.runtime.ops.files.room import Room

from pybuild.runtime.content.store import Store
from pybuild.runtime.snapshots.copying import CopySnapshotter
from pybuild.runtime.snapshots.mounts import unshare_mounts
from pybuild.runtime.snapshots.overlay import OverlaySnapshotter
from pybuild.runtime.snapshots.types import Snapshotter

MADE: dict[str, type] = {"overlay": OverlaySnapshotter, "copy": CopySnapshotter}


@pytest.fixture(scope="session")
def private_mounts() -> None:
    unshare_mounts()


@pytest.fixture(autouse=True)
def _root_only(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("root") is not None:
        if os.geteuid() != 0:
            pytest.skip("needs the root user")
        request.getfixturevalue("private_mounts")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(str(tmp_path / "store")) as opened:
        yield opened


@pytest.fixture(params=["overlay", "copy"])
def room(request: pytest.FixtureRequest, store: Store, tmp_path: Path) -> Room:
    snapshotter: Snapshotter = MADE[request.param](store)
    return Room(store, snapshotter, tmp_path)


@pytest.fixture
def overlay_room(store: Store, tmp_path: Path) -> Room:
    return Room(store, OverlaySnapshotter(store), tmp_path)
