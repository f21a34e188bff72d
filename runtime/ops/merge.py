"""Merge and diff ops: stack layers of states on other states, or on nothing.

Layers are reused, and read only as far as their new parent requires it (`snapshots/stacking.py`). The rules are those
of BuildKit's docs/dev/merge-diff.md.
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
    """Executes both. A merge stacks the layers of all inputs in order. A diff has the upper input's layers above the
    lower input, if it was built on that, else one layer with all differences."""

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
            result = inputs[number]
            return (self._materialize(result, cancellation) if isinstance(result, View) else result).id

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
