from __future__ import annotations

from tests.e2e.conftest import base, builder
from tests.runtime.ops.files.conftest import _root_only, overlay_room, private_mounts, store

__all__ = ["_root_only", "base", "builder", "overlay_room", "private_mounts", "store"]
