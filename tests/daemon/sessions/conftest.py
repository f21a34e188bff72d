from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from tests.daemon.client.serving import Offer
from tests.daemon.sessions.playing import Door

from pybuild.runtime.content.store import Store
from pybuild.runtime.session.frontcalls import FrontSession

OpenSession = Callable[..., FrontSession]


@pytest.fixture
def door() -> Iterator[Door]:
    door = Door()
    yield door
    door.close()


@pytest.fixture
def open_session(door: Door) -> OpenSession:
    """Sessions that last as long as the test: `open_session(offer, …, shared_key=…)`."""
    numbers = count()

    def opened(*offers: Offer, shared_key: str = "") -> FrontSession:
        return door.open(offers, f"session{next(numbers)}", shared_key)

    return opened


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(str(tmp_path / "store"))
    yield store
    store.close()
