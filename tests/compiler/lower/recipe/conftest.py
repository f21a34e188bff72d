from __future__ import annotations

from tests.e2e.conftest import builder
from tests.runtime.ops.files.conftest import _root_only, overlay_room, store

__all__ = ["_root_only", "builder", "overlay_room", "store"]
