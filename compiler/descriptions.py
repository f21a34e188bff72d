"""Keys of a vertex's description that are pybuild's own: they decide about no key and no result."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

BODY: Final = "pybuild.body"
"""The body that the statement stands in: what messages call it."""

PIDS: Final = "pybuild.limits.pids"
"""How many processes a step may have at once, in decimal digits."""

SCOPES: Final = "pybuild.cache.scope"
"""A JSON object: by the id of a cache, `project` or `user`."""

LOCKED: Final = "pybuild.locked"
"""The key of the lock file's entry that says what a source must be."""

LINES: Final = "pybuild.call.lines"
"""A JSON object: for the files that a called function is of, the lines that their parts begin in."""

KEEPS_CACHES: Final = "pybuild.cache.keep"
"""Set on a step that runs anew each time without its caches starting anew."""
