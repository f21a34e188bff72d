"""File systems whose vertices are made at the end of the lowering.

The vertex of a build context names the paths that are read of it, which are the union of the paths of all stages; and
a vertex's digest includes its inputs'. So lowering makes `Pending` file systems, and `settle` makes their vertices,
inputs first, once every stage is lowered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pybuild.compiler.graph import Edge

Inputs = Sequence[Edge | None]


class Pending:
    """A file system that `make` makes later, from the edges of `inputs` (None: the empty file system)."""

    __slots__ = ("_edge", "inputs", "make", "settled")

    def __init__(self, make: Callable[[Inputs], Edge | None], inputs: Sequence[Pending | None] = ()) -> None:
        self.make = make
        self.inputs = tuple(inputs)
        self.settled = False
        self._edge: Edge | None = None

    def finish(self) -> None:
        edge = self.make([None if pending is None else pending._edge for pending in self.inputs])
        if edge is not None:
            # A digest needs the digests of all inputs. Computed here, inputs first, it never recurses deeply.
            _ = edge.vertex.digest
        self._edge = edge
        self.settled = True

    @property
    def edge(self) -> Edge | None:
        assert self.settled
        return self._edge


def settled(edge: Edge | None) -> Pending | None:
    """Return a pending file system that is an existing edge."""
    if edge is None:
        return None
    pending = Pending(lambda inputs: edge)
    pending.finish()
    return pending


def settle(root: Pending | None) -> Edge | None:
    """Make `root` and everything it needs, each once and without recursion; return its edge."""
    if root is None:
        return None
    stack = [root]
    while stack:
        pending = stack[-1]
        if pending.settled:
            stack.pop()
            continue
        missing = [other for other in pending.inputs if other is not None and not other.settled]
        if missing:
            stack.extend(reversed(missing))
        else:
            pending.finish()
            stack.pop()
    return root.edge
