"""Display names of vertices that have no custom name: BuildKit's text for each kind of op."""

from __future__ import annotations

from pybuild.compiler.ops import (
    EMPTY,
    BuildOp,
    Copy,
    DiffOp,
    ExecOp,
    FileOp,
    MergeOp,
    MkDir,
    MkFile,
    Rm,
    SourceOp,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.compiler.graph import Vertex
    from pybuild.compiler.ops import FileAction

LONGEST = 1024
"""The most characters of a name that contains the names of inputs, which may contain others in turn."""


def name_of(vertex: Vertex, depth: int = 4) -> str:
    """Return the vertex's own name, else a description of its op. Names of inputs are nested up to `depth`."""
    if vertex.name:
        return vertex.name
    op = vertex.op
    if isinstance(op, SourceOp):
        return op.identifier
    if isinstance(op, ExecOp):
        return " ".join(op.meta.args)
    if isinstance(op, FileOp):
        return ", ".join(filter(None, map(_action, op.actions)))
    if isinstance(op, BuildOp):
        return "build"
    if isinstance(op, MergeOp):
        return f"merge ({', '.join(_input(vertex, one, depth) for one in op.inputs)})"[:LONGEST]
    if isinstance(op, DiffOp):
        lower, upper = _side(vertex, op.lower, depth), _side(vertex, op.upper, depth)
        return f"diff {lower} -> {upper}"[:LONGEST]
    return "unknown"


def _side(vertex: Vertex, number: int, depth: int) -> str:
    return "scratch" if number == EMPTY else f"({_input(vertex, number, depth)})"


def _input(vertex: Vertex, number: int, depth: int) -> str:
    return name_of(vertex.inputs[number].vertex, depth - 1) if depth else "…"


def _action(action: FileAction) -> str:
    one = action.action
    if isinstance(one, MkDir):
        return f"mkdir {one.path}"
    if isinstance(one, MkFile):
        return f"mkfile {one.path}"
    if isinstance(one, Rm):
        return f"rm {one.path}"
    if isinstance(one, Copy):
        return f"copy {one.src} {one.dest}"
    return ""
