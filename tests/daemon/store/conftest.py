"""A daemon whose store and history are a file of tests' own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.daemon.client.control import Daemon
from tests.daemon.client.running import Running


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="pybuild-store-"))
    yield place
    shutil.rmtree(place)


@pytest.fixture(scope="module")
def lone(place: Path) -> Iterator[Daemon]:
    """A connection to it."""
    with Running(place) as running, running.connect() as connected:
        yield connected
