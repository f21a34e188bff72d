"""Build ops: solves the definition in a file of an input, and takes its result for the op's.

Input name, file name and errors are those of BuildKit's op; like BuildKit, it refuses builders other than LLB.
"""

from __future__ import annotations

import os
import stat

from pybuild.compiler.ops import BuildOp
from pybuild.lang.diagnostics import UserError
from pybuild.runtime.ops.results import Snapshot
from pybuild.runtime.ops.whole import WholeInputs
from pybuild.runtime.sources.expansion import look_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import ClassVar

    from pybuild.compiler.graph import Edge, Vertex
    from pybuild.runtime.ops.results import Result
    from pybuild.runtime.snapshots.types import Tree
    from pybuild.runtime.solver.types import Cancellation

LLB_BUILDER = -1
INPUT = "buildkit.llb.definition"
"""Name of the input that holds the definition, and of its file unless the op names another."""
FILENAME = "llbbuild.filename"


class BuildHandler(WholeInputs):
    """Executes build ops. `solve` returns the snapshot of an edge, `tree` gives read access to a result."""

    semantics: ClassVar = {BuildOp: "build 1"}

    def __init__(
        self, solve: Callable[[Edge, Cancellation], Snapshot], tree: Callable[[Result], Tree]
    ) -> None:
        self._solve = solve
        self._tree = tree

    def run(self, vertex: Vertex, inputs: Sequence[Result], cancellation: Cancellation) -> Sequence[Result]:
        from pybuild.compiler.llb.decode import EmptyDefinition, decode_definition
        from pybuild.compiler.llb.validate import validated

        op = vertex.op
        assert isinstance(op, BuildOp)
        if op.builder != LLB_BUILDER:
            raise UserError("only LLB builder is currently allowed")
        if INPUT not in op.inputs:
            raise UserError(f"no llb definition input {INPUT} found")
        number = op.inputs[INPUT]
        if not 0 <= number < len(inputs):
            raise UserError(f"invalid index {number}")
        try:
            edge = decode_definition(self._read(inputs[number], op.attrs.get(FILENAME) or INPUT))
        except EmptyDefinition:
            return [Snapshot(None)]
        return [self._solve(validated(edge), cancellation)]

    def _read(self, result: Result, name: str) -> bytes:
        node = look_up(self._tree(result), os.fsencode(name)).node
        if node is None:
            raise UserError(f"failed to open {name}: no such file or directory")
        if not stat.S_ISREG(node.stat.st_mode):
            raise UserError(f"{name} is not a regular file")
        with node.content() as file:
            return file.read()
