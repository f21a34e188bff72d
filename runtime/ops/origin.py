"""Where in a graph an error arose: `UserError.origin` of what the runtime raises about a vertex."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.compiler.graph import Vertex

KEY = "key"
"""While the key of an op was made: a source was asked what it resolves to."""
CONTENT = "content"
"""While the content of what an op reads was looked at."""
RUN = "run"


class Origin:
    """The vertex, in what phase of its work, and for CONTENT of which input, for RUN which action of a file op.
    `inputs` are the snapshots of its inputs, `left` that of what the action has made, as far as they are kept."""

    __slots__ = ("index", "inputs", "left", "phase", "vertex")

    def __init__(
        self,
        vertex: Vertex,
        phase: str,
        index: int = 0,
        inputs: Sequence[int | None] = (),
        left: int | None = None,
    ) -> None:
        self.vertex = vertex
        self.phase = phase
        self.index = index
        self.inputs = tuple(inputs)
        self.left = left

    def input(self, index: int) -> int | None:
        """The snapshot of an input; None if it is not known."""
        return self.inputs[index] if index < len(self.inputs) else None
