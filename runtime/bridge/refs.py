"""The states of one frontend, by the ids that it knows them by."""

from __future__ import annotations

import os
import threading

from attrs import frozen

from pybuild.lang.diagnostics import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.compiler.graph import Edge
    from pybuild.compiler.protos.ops_pb2 import Definition


class NoSuchRef(UserError):
    """A frontend uses an id that it was not given."""


@frozen
class Ref:
    """A state and the definition it was requested with, None for one that a frontend made."""

    edge: Edge
    definition: Definition | None = None


class Refs:
    """The states of one frontend by id. Thread-safe. The empty file system has the id "". *Kept* are
    snapshots of failed steps, which can be mounted but are no state."""

    def __init__(self) -> None:
        self._refs: dict[str, Ref] = {}
        self._kept: dict[str, int] = {}
        self._guard = threading.Lock()

    def add(self, edge: Edge | None, definition: Definition | None = None) -> str:
        """Add a state and return its new id."""
        if edge is None:
            return ""
        id = _new()
        with self._guard:
            self._refs[id] = Ref(edge, definition)
        return id

    def keep(self, snapshot: int | None) -> str:
        """Return the id of a snapshot, the same for each call."""
        if snapshot is None:
            return ""
        with self._guard:
            # A client compares ids: the same snapshot must have the same.
            known = next((id for id, one in self._kept.items() if one == snapshot), None)
            if known is None:
                known = _new()
                self._kept[known] = snapshot
            return known

    def read(self, id: str) -> Edge:
        """Return a state to read. Raises NoSuchRef, also for the empty file system."""
        with self._guard:
            ref = self._refs.get(id)
            if ref is None:
                raise NoSuchRef(f"no such ref: {id}, all [{' '.join(self._refs)}]")
        return ref.edge

    def returned(self, id: str) -> Edge | None:
        """Return a state of a result. Raises NoSuchRef."""
        if not id:
            return None
        with self._guard:
            ref = self._refs.get(id)
        if ref is None:
            raise NoSuchRef(f"return reference {id} not found")
        return ref.edge

    def kept(self, id: str) -> int | None:
        """Return the snapshot of a failed step; None for any other id."""
        with self._guard:
            return self._kept.get(id)


def _new() -> str:
    return os.urandom(13).hex()
