"""States that failed vertices left behind, kept for debugging."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybuild.runtime.snapshots.types import Active


class FailedStates:
    """Commits the states of failing vertices. `digests` are the vertices whose state the caller wants.

    `lease` keeps a snapshot while this process lives. No cache record names such a snapshot.
    """

    __slots__ = ("_lease", "digests")

    def __init__(self, lease: Callable[[int], None]) -> None:
        self.digests: set[str] = set()
        self._lease = lease

    def snapshot(self, active: Active) -> int:
        """Commit what an op has written so far and return the snapshot's id."""
        snapshot = active.commit(unmatched=True)
        self._lease(snapshot)
        return snapshot
