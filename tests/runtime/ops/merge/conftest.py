"""Whatever the tests mount is in a mount namespace of their own."""

from __future__ import annotations

import pytest
from tests.support.fixtures import own_store as store

__all__ = ["store"]


@pytest.fixture(autouse=True)
def _root_only(mounts_of_root: None) -> None:
    """For all tests of this folder."""
