"""What handlers share whose ops take their inputs whole: results are found by the inputs' keys alone."""

from __future__ import annotations

from attrs import evolve

from pybuild.runtime.cache.records import digest_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import ClassVar

    from pybuild.compiler.graph import Vertex
    from pybuild.compiler.ops import Op
    from pybuild.runtime.ops.results import Result
    from pybuild.runtime.solver.types import Cancellation


class WholeInputs:
    """The part of a Handler that is the same for all of them. `semantics` has the version of each of its op types."""

    recorded = True
    limited = False
    pure_key = True
    semantics: ClassVar[Mapping[type[Op], str]]

    def op_key(self, vertex: Vertex, cancellation: Cancellation) -> str:
        return digest_of(self.semantics[type(vertex.op)], evolve(vertex, inputs=()).digest)

    def outside(self, vertex: Vertex) -> str:
        return ""

    def content(self, vertex: Vertex, index: int, result: Result, cancellation: Cancellation) -> str | None:
        return None
