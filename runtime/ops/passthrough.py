"""Passthrough ops: each output is one of the inputs."""

from __future__ import annotations

from pybuild.compiler.ops import PassthroughOp
from pybuild.lang.diagnostics import UserError
from pybuild.runtime.ops.results import Snapshot, View
from pybuild.runtime.ops.whole import WholeInputs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import ClassVar

    from pybuild.compiler.graph import Vertex
    from pybuild.runtime.ops.results import Result
    from pybuild.runtime.solver.types import Cancellation


class PassthroughHandler(WholeInputs):
    """Executes passthrough ops. `materialize` copies a view into a snapshot, as records can't name views."""

    semantics: ClassVar = {PassthroughOp: "passthrough 1"}

    def __init__(self, materialize: Callable[[View, Cancellation], Snapshot]) -> None:
        self._materialize = materialize

    def run(self, vertex: Vertex, inputs: Sequence[Result], cancellation: Cancellation) -> Sequence[Result]:
        op = vertex.op
        assert isinstance(op, PassthroughOp)
        results = []
        for number in op.outputs:
            if not 0 <= number < len(inputs):
                raise UserError(f"invalid passthrough output input index {number}")
            result = inputs[number]
            results.append(self._materialize(result, cancellation) if isinstance(result, View) else result)
        return results
