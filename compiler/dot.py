"""The graph in Graphviz's DOT language: a node for each vertex, an arrow for each input, the results last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pybuild.compiler.graph import Edge, Vertex, walk
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
    PassthroughOp,
    Rm,
    SourceOp,
    Symlink,
)

_WIDTH = 60
"""The most characters of a line of a label."""


def to_dot(edge: Edge) -> str:
    """Return DOT text for one result. Arrows lead from an input to the vertex that uses it; the text is
    reproducible."""
    return to_dot_all([("result", edge)])


def to_dot_all(results: Sequence[tuple[str, Edge]]) -> str:
    """Return DOT text for several results with their names."""
    vertices = list(walk([edge for _, edge in results]))
    names = {vertex.digest: f"v{number}" for number, vertex in enumerate(vertices)}
    out = ["digraph build {", "  rankdir=LR;", '  node [fontname="monospace", fontsize=10];']
    for vertex in vertices:
        shape, _ = _KINDS[type(vertex.op)]
        lines = [*_title(vertex), vertex.digest[:19]]
        label = "\\n".join(escape(_cut(line)) for line in lines)
        out.append(
            f'  {names[vertex.digest]} [shape={shape}, label="{label}", tooltip="{escape(vertex.digest)}"];'
        )
    for vertex in vertices:
        for number, source in enumerate(vertex.inputs):
            label = _arrow(vertex, number)
            if source.index:
                label = f"output {source.index} {label}".rstrip()
            attributes = f' [label="{escape(_cut(label))}"]' if label else ""
            out.append(f"  {names[source.vertex.digest]} -> {names[vertex.digest]}{attributes};")
    for number, (name, edge) in enumerate(results):
        node = "result" if len(results) == 1 else f"result{number}"
        out.append(f'  {node} [shape=doublecircle, label="{escape(name)}"];')
        attributes = f' [label="output {edge.index}"]' if edge.index else ""
        out.append(f"  {names[edge.vertex.digest]} -> {node}{attributes};")
    out.append("}")
    return "\n".join(out) + "\n"


def escape(text: str) -> str:
    """Escape text for a quoted DOT string. Control characters are shown by their codes."""
    out = []
    for char in text:
        if char in '"\\':
            out.append("\\" + char)
        elif char == "\n":
            out.append("\\n")
        elif not char.isprintable():
            out.append("\\\\" + (f"x{ord(char):02x}" if ord(char) < 256 else f"u{ord(char):04x}"))
        else:
            out.append(char)
    return "".join(out)


def _title(vertex: Vertex) -> list[str]:
    """Return the lines of a node: the custom name if there is one, then a description of the op."""
    _, describe = _KINDS[type(vertex.op)]
    lines: list[str] = describe(vertex.op)
    return [vertex.name, *lines] if vertex.name else lines


def _arrow(vertex: Vertex, number: int) -> str:
    """Return the label of an arrow: how the vertex uses the input."""
    op = vertex.op
    if isinstance(op, ExecOp):
        return " ".join(mount.dest for mount in op.mounts if mount.input == number)
    if isinstance(op, FileOp):
        sources = [
            action.action.src
            for action in op.actions
            if isinstance(action.action, Copy) and action.secondary_input == number
        ]
        return " ".join(dict.fromkeys(sources))
    if isinstance(op, DiffOp):
        return " ".join(side for side, used in (("lower", op.lower), ("upper", op.upper)) if used == number)
    return ""


def _cut(line: str) -> str:
    line = line.split("\n", 1)[0] + ("…" if "\n" in line else "")
    return line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…"


def _source(op: SourceOp) -> list[str]:
    return [op.identifier]


def _exec(op: ExecOp) -> list[str]:
    return ["exec " + " ".join(op.meta.args)]


def _file(op: FileOp) -> list[str]:
    return [_ACTIONS[type(action.action)](action.action) for action in op.actions[:8]] + (
        [f"… {len(op.actions) - 8} more"] if len(op.actions) > 8 else []
    )


def _build(op: BuildOp) -> list[str]:
    return ["build"] if op.builder == EMPTY else [f"build by input {op.builder}"]


def _plain(word: str) -> Callable[[Any], list[str]]:
    return lambda op: [word]


_KINDS: dict[type, tuple[str, Callable[[Any], list[str]]]] = {
    SourceOp: ("ellipse", _source),
    ExecOp: ("box", _exec),
    FileOp: ("note", _file),
    BuildOp: ("component", _build),
    MergeOp: ("invtriangle", _plain("merge")),
    DiffOp: ("triangle", _plain("diff")),
    PassthroughOp: ("cds", _plain("passthrough")),
}
"""The shape of a node and the function that describes the op, by kind of op."""

_ACTIONS: dict[type, Callable[[Any], str]] = {
    Copy: lambda action: f"copy {action.src} {action.dest}",
    MkFile: lambda action: f"mkfile {action.path}",
    MkDir: lambda action: f"mkdir {action.path}",
    Rm: lambda action: f"rm {action.path}",
    Symlink: lambda action: f"symlink {action.newpath} -> {action.oldpath}",
}
