"""A graph as SVG: what `compiler/dot.py` writes, laid out in columns.

1. A node stands in the column behind its last input's.
2. Inside a column nodes are ordered by where their inputs stand, so that few lines cross.
3. A node is a box of its label's lines; an arrow is a curve from an input's right side to its user's left.
"""

from __future__ import annotations

import re
from html import escape

from attrs import field, frozen

_NODE = re.compile(r'^  (\w+) \[shape=(\w+), label="((?:[^"\\]|\\.)*)"', re.MULTILINE)
_ARROW = re.compile(r"^  (\w+) -> (\w+)", re.MULTILINE)
_ESCAPED = re.compile(r"\\(.)")

CHARACTER, LINE, MARGIN, BETWEEN, COLUMN = 6.7, 15, 8, 16, 60
"""Pixels: a character, a line, inside a box, between boxes of a column, between columns."""
_COLOURS = {"ellipse": "#e3f2fd", "box": "#fff3e0", "note": "#f1f8e9", "doublecircle": "#ede7f6"}


@frozen
class Node:
    lines: tuple[str, ...]
    shape: str
    inputs: list[str] = field(factory=list)

    @property
    def width(self) -> float:
        return max(map(len, self.lines)) * CHARACTER + 2 * MARGIN

    @property
    def height(self) -> float:
        return len(self.lines) * LINE + 2 * MARGIN


@frozen
class Box:
    """A node's place: its upper left corner."""

    x: float
    y: float
    node: Node


def draw_svg(dot: str) -> str:
    """Return the `svg` element; an empty one for a graph without nodes."""
    nodes = _nodes(dot)
    boxes = _place_nodes(nodes)
    width = max((box.x + box.node.width for box in boxes.values()), default=0) + MARGIN
    height = max((box.y + box.node.height for box in boxes.values()), default=0) + MARGIN
    arrows = "".join(
        _arrow(boxes[source], boxes[name]) for name, node in nodes.items() for source in node.inputs
    )
    return (
        f'<svg width="{width:.0f}" height="{height:.0f}" role="img" font-family="monospace" font-size="11">'
        '<defs><marker id="pybuild-arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0L8 4L0 8z" fill="#555"/></marker></defs>'
        f"{arrows}{''.join(map(_draw_box, boxes.values()))}</svg>"
    )


def _nodes(dot: str) -> dict[str, Node]:
    """Return the nodes by name, inputs before their users, as the text has them."""
    nodes = {
        name: Node(tuple(_unescape(line) for line in _lines(label)), shape)
        for name, shape, label in _NODE.findall(dot)
    }
    for source, user in _ARROW.findall(dot):
        nodes[user].inputs.append(source)
    return nodes


def _lines(label: str) -> list[str]:
    """Return the lines of a label: `\\n` ends a line, unless its backslash is itself escaped."""
    return re.sub(r"(?<!\\)((?:\\\\)*)\\n", "\\1\n", label).split("\n")


def _unescape(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


def _place_nodes(nodes: dict[str, Node]) -> dict[str, Box]:
    columns: list[list[str]] = []
    ranks: dict[str, int] = {}
    for name, node in nodes.items():
        rank = ranks[name] = 1 + max((ranks[source] for source in node.inputs), default=-1)
        if rank == len(columns):
            columns.append([])
        columns[rank].append(name)
    boxes: dict[str, Box] = {}
    x = float(MARGIN)
    for column in columns:
        column.sort(key=lambda name: _middle(nodes[name], boxes))
        y = float(MARGIN)
        for name in column:
            boxes[name] = Box(x, y, nodes[name])
            y += nodes[name].height + BETWEEN
        x += max(nodes[name].width for name in column) + COLUMN
    return boxes


def _middle(node: Node, boxes: dict[str, Box]) -> float:
    """Return the mean height of a node's inputs."""
    if not node.inputs:
        return 0.0
    return sum(boxes[source].y for source in node.inputs) / len(node.inputs)


def _draw_box(box: Box) -> str:
    node = box.node
    fill = _COLOURS.get(node.shape, "#fafafa")
    rounded = 12 if node.shape in ("ellipse", "doublecircle") else 2
    lines = "".join(
        f'<text x="{box.x + MARGIN:.0f}" y="{box.y + MARGIN + LINE * (number + 0.75):.0f}" '
        f'xml:space="preserve">{escape(line)}</text>'
        for number, line in enumerate(node.lines)
    )
    return (
        f'<rect x="{box.x:.0f}" y="{box.y:.0f}" width="{node.width:.0f}" height="{node.height:.0f}" '
        f'rx="{rounded}" fill="{fill}" stroke="#555"/>{lines}'
    )


def _arrow(source: Box, user: Box) -> str:
    x1, y1 = source.x + source.node.width, source.y + source.node.height / 2
    x2, y2 = user.x, user.y + user.node.height / 2
    middle = (x1 + x2) / 2
    return (
        f'<path d="M{x1:.0f} {y1:.0f}C{middle:.0f} {y1:.0f} {middle:.0f} {y2:.0f} {x2:.0f} {y2:.0f}" '
        'fill="none" stroke="#555" marker-end="url(#pybuild-arrow)"/>'
    )
