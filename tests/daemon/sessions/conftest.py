from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from tests.daemon.client.serving import Offer
from tests.daemon.sessions.playing import Front

from pybuild.runtime.content.store import Store
from pybuild.runtime.session.frontcalls import FrontSession

OpenSession = Callable[..., FrontSession]


@pytest.fixture
def front() -> Iterator[Front]:
    front = Front()
    yield front
    front.close()


@pytest.fixture
def open_session(front: Front) -> OpenSession:
    """Sessions that last as long as the test: `open_session(offer, …, shared_key=…)`."""
    numbers = count()

    def opened(*offers: Offer, shared_key: str = "") -> FrontSession:
        return front.open(offers, f"session{next(numbers)}", shared_key)

    return opened


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(str(tmp_path / "store"))
    yield store
    store.close()
