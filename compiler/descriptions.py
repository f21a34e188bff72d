"""Keys that pybuild adds to a vertex's description. They change neither a cache key nor a result."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

BODY: Final = "pybuild.body"
"""The title of the body that the statement stands in, for messages."""

PIDS: Final = "pybuild.limits.pids"
"""The most processes that a step may have at once, in decimal digits."""

SCOPES: Final = "pybuild.cache.scope"
"""A JSON object: the scope of each cache by its id, `project` or `user`."""

LOCKED: Final = "pybuild.locked"
"""The key of the entry of the lock file that pins a source."""

LINES: Final = "pybuild.call.lines"
"""A JSON object: for each file of a called function, the lines at which its parts begin."""

KEEPS_CACHES: Final = "pybuild.cache.keep"
"""Set on a step that always runs, but whose caches are kept."""
