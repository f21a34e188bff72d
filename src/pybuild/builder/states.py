"""References of a program to states in the store: a snapshot's number, and a fingerprint that tells whether the
number still means the same state. A store that was emptied reuses numbers."""

from __future__ import annotations

from pybuild.lang.diagnostics import UserError
from pybuild.runtime.content import snapshot_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.content.store import Store

    State = tuple[object, ...]


class StateGone(UserError):
    """A result's state is no longer in the store."""

    def __init__(self) -> None:
        super().__init__("the state of this result is no longer in the store", help="build it again")


def state_of(snapshot: int | None, store: Store) -> State | None:
    """Return the reference to a snapshot; None is the empty file system."""
    if snapshot is None:
        return None
    return snapshot_table.fingerprint(store, snapshot) or (snapshot,)


def snapshot_of(state: State | None, store: Store) -> int | None:
    """Return the snapshot, leased for as long as this process lives. Raises StateGone."""
    if state is None:
        return None
    snapshot = int(str(state[0]))
    store.lease("snapshot", str(snapshot))
    if state_of(snapshot, store) != tuple(state):
        raise StateGone
    return snapshot
