"""Diff ops: what makes one state of another, by itself."""

from __future__ import annotations

from attrs import evolve

from pybuild.compiler.ops import EMPTY, DiffOp
from pybuild.runtime.cache.records import digest_of
from pybuild.runtime.ops.results import Snapshot, View

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pybuild.compiler.graph import Vertex
    from pybuild.runtime.ops.results import Result
    from pybuild.runtime.snapshots.types import Snapshotter
    from pybuild.runtime.solver.types import Cancellation

SEMANTICS = "diff 1"


class DiffHandler:
    """The upper input's layers above the lower one's, if it was built on that, else one layer with all that
    differs (BuildKit's docs/dev/merge-diff.md)."""

    recorded = True
    limited = False
    pure_key = True

    def __init__(
        self, snapshotter: Snapshotter, materialize: Callable[[View, Cancellation], Snapshot]
    ) -> None:
        self._snapshotter = snapshotter
        self._materialize = materialize

    def op_key(self, vertex: Vertex, cancellation: Cancellation) -> str:
        return digest_of(SEMANTICS, evolve(vertex, inputs=()).digest)

    def outside(self, vertex: Vertex) -> str:
        return ""

    def content(self, vertex: Vertex, index: int, result: Result, cancellation: Cancellation) -> str | None:
        return None

    def run(self, vertex: Vertex, inputs: Sequence[Result], cancellation: Cancellation) -> Sequence[Result]:
        assert isinstance(vertex.op, DiffOp)

        def state(number: int) -> int | None:
            if number == EMPTY:
                return None
            held = inputs[number]
            return (self._materialize(held, cancellation) if isinstance(held, View) else held).id

        lower, upper = state(vertex.op.lower), state(vertex.op.upper)
        return [Snapshot(self._snapshotter.difference(lower, upper, cancellation))]
