"""The place in a graph that an error came from: `UserError.origin` of errors about a vertex."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.compiler.graph import Vertex

KEY = "key"
"""The phase in which the op's key is computed: a source resolves its reference."""
CONTENT = "content"
"""The phase in which the content of the inputs is digested, as far as the op reads them."""
RUN = "run"
"""The phase in which the op is executed."""


class Origin:
    """A vertex and the phase of its work. `index` is the number of an input for CONTENT, of a file op's action for
    RUN. `inputs` are the snapshots of the inputs; `left` is the snapshot that a failed file op left, if kept."""

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
        """Return the snapshot of an input, None if it is not known."""
        return self.inputs[index] if index < len(self.inputs) else None
