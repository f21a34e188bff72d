"""States that a build has left in the store, as a program holds on to them: by number, and by what tells whether the
number still means the same. A store that was emptied numbers anew."""

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
    """What holds on to a snapshot; None is the empty file system."""
    if snapshot is None:
        return None
    return snapshot_table.fingerprint(store, snapshot) or (snapshot,)


def snapshot_of(state: State | None, store: Store) -> int | None:
    """The snapshot, which stays while this process lives. Raises StateGone."""
    if state is None:
        return None
    snapshot = int(str(state[0]))
    store.lease("snapshot", str(snapshot))
    if state_of(snapshot, store) != tuple(state):
        raise StateGone
    return snapshot
