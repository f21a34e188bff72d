"""Merge ops: the diffs of each input over the input before."""

from __future__ import annotations

from attrs import evolve

from pybuild.compiler.ops import MergeOp
from pybuild.runtime.cache.records import digest_of
from pybuild.runtime.ops.results import Snapshot, View

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pybuild.compiler.graph import Vertex
    from pybuild.runtime.ops.results import Result
    from pybuild.runtime.snapshots.types import Snapshotter
    from pybuild.runtime.solver.types import Cancellation

SEMANTICS = "merge 1"


class MergeHandler:
    """The layers of every input, each as it is, one over the other (BuildKit's docs/dev/merge-diff.md). Nothing
    is read but what a layer needs to lie where it does (`snapshots/stacking.py`)."""

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
        assert isinstance(vertex.op, MergeOp)
        merged: int | None = None
        for number in vertex.op.inputs:
            state = inputs[number]
            if isinstance(state, View):
                state = self._materialize(state, cancellation)
            if merged is None:
                merged = state.id
                continue
            for layer in self._snapshotter.layers(state.id):
                merged = self._snapshotter.stack(merged, layer, cancellation)
        return [Snapshot(merged)]
