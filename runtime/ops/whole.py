"""The shared part of handlers whose ops depend on all content of their inputs."""

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
    """The common methods of such a Handler. `semantics` has the semantics version of each of its op types."""

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
