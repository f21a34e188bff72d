"""How one kind of op is executed: a handler an op type, in the table of `Operations`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    from pybuild.compiler.graph import Vertex
    from pybuild.runtime.ops.results import Result
    from pybuild.runtime.solver.types import Cancellation
else:
    Protocol = object


class Handler(Protocol):
    """Executes vertices of one kind. Methods are called from several threads."""

    recorded: bool
    """False when results are views of something outside that no record can name."""

    limited: bool
    """Whether a run counts against the build's parallelism."""

    pure_key: bool
    """Whether `op_key` does no I/O."""

    def op_key(self, vertex: Vertex, cancellation: Cancellation) -> str:
        """Key of the op without inputs; begins with the kind's semantics version."""

    def content(self, vertex: Vertex, index: int, result: Result, cancellation: Cancellation) -> str | None:
        """Digest of just the part that the op reads of input `index`; None when it may read all of it."""

    def outside(self, vertex: Vertex) -> str:
        """What the result depends on besides the definition (the directory a local name stands for)."""

    def run(
        self, vertex: Vertex, inputs: Sequence[Result], cancellation: Cancellation
    ) -> Sequence[Result]: ...
