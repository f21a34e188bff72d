"""What is left of vertices that fail, for those who ask to look at it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybuild.runtime.snapshots.types import Active


class Kept:
    """`digests` are those of the vertices that are asked for. What is kept of one is in no record, and there while
    this process lives."""

    __slots__ = ("_lease", "digests")

    def __init__(self, lease: Callable[[int], None]) -> None:
        self.digests: set[str] = set()
        self._lease = lease

    def snapshot(self, active: Active) -> int:
        """The snapshot of what an op has made so far."""
        found = active.commit(unmatched=True)
        self._lease(found)
        return found
