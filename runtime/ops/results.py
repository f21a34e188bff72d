"""Results: the values of a vertex's outputs during a solve."""

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
    """A filtered local directory that is read in place and not in the store."""

    __slots__ = ("tree",)

    def __init__(self, tree: LocalTree) -> None:
        self.tree = tree


Result = Snapshot | View


def snapshots(results: Sequence[Result]) -> list[int | None]:
    """Return the snapshot ids of results, None for views and empty roots."""
    return [result.id if isinstance(result, Snapshot) else None for result in results]
