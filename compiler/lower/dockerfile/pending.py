"""Parts of the graph that are made last.

What is read of a build context is the union of the paths that all stages take from it, and a vertex's
identity holds its inputs'. So lowering makes `Pending` file systems; `settle` makes their vertices, inputs
first, when every stage is lowered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pybuild.compiler.graph import Edge

Inputs = Sequence[Edge | None]


class Pending:
    """A file system to be made from `inputs` (None: the empty one) by `make`, which gets their edges."""

    __slots__ = ("_edge", "inputs", "make", "settled")

    def __init__(self, make: Callable[[Inputs], Edge | None], inputs: Sequence[Pending | None] = ()) -> None:
        self.make = make
        self.inputs = tuple(inputs)
        self.settled = False
        self._edge: Edge | None = None

    def finish(self) -> None:
        edge = self.make([None if pending is None else pending._edge for pending in self.inputs])
        if edge is not None:
            # A digest is made from the inputs' digests: taken in this order, no chain is too long for it.
            _ = edge.vertex.digest
        self._edge = edge
        self.settled = True

    @property
    def edge(self) -> Edge | None:
        assert self.settled
        return self._edge


def settled(edge: Edge | None) -> Pending | None:
    """An edge that is known already."""
    if edge is None:
        return None
    pending = Pending(lambda inputs: edge)
    pending.finish()
    return pending


def settle(root: Pending | None) -> Edge | None:
    """Makes `root` and everything it needs, each once; no recursion."""
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
