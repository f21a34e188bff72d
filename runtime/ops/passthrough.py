"""Passthrough ops: each output is one of the inputs."""

from __future__ import annotations

from attrs import evolve

from pybuild.compiler.ops import PassthroughOp
from pybuild.lang.diagnostics import UserError
from pybuild.runtime.cache.records import digest_of
from pybuild.runtime.ops.results import Snapshot, View

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pybuild.compiler.graph import Vertex
    from pybuild.runtime.ops.results import Result
    from pybuild.runtime.solver.types import Cancellation

SEMANTICS = "passthrough 1"


class PassthroughHandler:
    """`materialize` copies a view into a snapshot, as records can't name views."""

    recorded = True
    limited = False
    pure_key = True

    def __init__(self, materialize: Callable[[View, Cancellation], Snapshot]) -> None:
        self._materialize = materialize

    def op_key(self, vertex: Vertex, cancellation: Cancellation) -> str:
        return digest_of(SEMANTICS, evolve(vertex, inputs=()).digest)

    def outside(self, vertex: Vertex) -> str:
        return ""

    def content(self, vertex: Vertex, index: int, result: Result, cancellation: Cancellation) -> str | None:
        return None

    def run(self, vertex: Vertex, inputs: Sequence[Result], cancellation: Cancellation) -> Sequence[Result]:
        op = vertex.op
        assert isinstance(op, PassthroughOp)
        made = []
        for number in op.outputs:
            if not 0 <= number < len(inputs):
                raise UserError(f"invalid passthrough output input index {number}")
            found = inputs[number]
            made.append(self._materialize(found, cancellation) if isinstance(found, View) else found)
        return made
