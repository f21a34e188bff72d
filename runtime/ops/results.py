"""Results: what one output of a vertex is while solving."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.runtime.sources.local import LocalTree


class Snapshot:
    """A committed file system state; `id` None is the empty root."""

    __slots__ = ("id",)

    def __init__(self, id: int | None) -> None:
        self.id = id

    def __repr__(self) -> str:
        return f"Snapshot({self.id})"


class View:
    """A local directory, filtered, read in place: nothing of it is in the store."""

    __slots__ = ("tree",)

    def __init__(self, tree: LocalTree) -> None:
        self.tree = tree


Result = Snapshot | View


def snapshots(results: Sequence[Result]) -> list[int | None]:
    """Those of results, None for a view."""
    return [one.id if isinstance(one, Snapshot) else None for one in results]
