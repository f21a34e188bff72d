"""The interface of handlers, each of which executes one type of op. `Operations` has the table of them."""

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
    """False if results are views of something outside of the store, which no record can name."""

    limited: bool
    """True if a run counts against the build's parallelism."""

    pure_key: bool
    """True if `op_key` does no I/O."""

    def op_key(self, vertex: Vertex, cancellation: Cancellation) -> str:
        """Return the op's key, which leaves out the inputs and depends on the handler's semantics version."""

    def content(self, vertex: Vertex, index: int, result: Result, cancellation: Cancellation) -> str | None:
        """Return the digest of the part of input `index` that the op reads, None if it may read all of it."""

    def outside(self, vertex: Vertex) -> str:
        """Return a text for anything besides the definition that the result depends on, "" for nothing; for a local
        source, the directory that its name stands for."""

    def run(self, vertex: Vertex, inputs: Sequence[Result], cancellation: Cancellation) -> Sequence[Result]:
        """Execute the op; returns a result for each output. Raises UserError, Cancelled."""
