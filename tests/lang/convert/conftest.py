from __future__ import annotations

from tests.support.fixtures import base as layout
from tests.support.fixtures import session_store as store

__all__ = ["layout", "store"]
