"""Merge and diff ops: layers of states laid over other states, or by themselves.

Nothing is read but what a layer needs to lie where it does (`snapshots/stacking.py`). The rules are those of
BuildKit's docs/dev/merge-diff.md.
"""

from __future__ import annotations

from pybuild.compiler.ops import EMPTY, DiffOp, MergeOp
from pybuild.runtime.ops.results import Snapshot, View
from pybuild.runtime.ops.whole import WholeInputs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import ClassVar

    from pybuild.compiler.graph import Vertex
    from pybuild.runtime.ops.results import Result
    from pybuild.runtime.snapshots.types import Snapshotter
    from pybuild.runtime.solver.types import Cancellation


class StackHandler(WholeInputs):
    """Merge: the layers of every input, each as it is, one over the other. Diff: the upper input's layers above the
    lower one's, if it was built on that, else one layer with all that differs."""

    semantics: ClassVar = {MergeOp: "merge 1", DiffOp: "diff 1"}

    def __init__(
        self, snapshotter: Snapshotter, materialize: Callable[[View, Cancellation], Snapshot]
    ) -> None:
        self._snapshotter = snapshotter
        self._materialize = materialize

    def run(self, vertex: Vertex, inputs: Sequence[Result], cancellation: Cancellation) -> Sequence[Result]:
        def state(number: int) -> int | None:
            if number == EMPTY:
                return None
            held = inputs[number]
            return (self._materialize(held, cancellation) if isinstance(held, View) else held).id

        op = vertex.op
        if isinstance(op, DiffOp):
            return [Snapshot(self._snapshotter.difference(state(op.lower), state(op.upper), cancellation))]
        assert isinstance(op, MergeOp)
        first, *others = op.inputs
        merged = state(first)
        for number in others:
            for layer in self._snapshotter.layers(state(number)):
                merged = self._snapshotter.stack(merged, layer, cancellation)
        return [Snapshot(merged)]
