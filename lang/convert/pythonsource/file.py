"""Makes the whole module: its first lines, its declarations with their comments, and the blank rows between them.

1. Each declaration becomes rows: the comments above it, its head, its body.
2. Code that runs at import comes after what it needs.
3. Blank rows are the author's, with two around each function.
"""

from __future__ import annotations

from itertools import pairwise

from pybuild.lang.convert.pythonsource import order, types
from pybuild.lang.convert.pythonsource.bodies import Rows, comment
from pybuild.lang.convert.pythonsource.declarations import body_of, declaration, opening
from pybuild.lang.convert.pythonsource.expressions import Expressions
from pybuild.lang.convert.pythonsource.facts import facts_of
from pybuild.lang.convert.pythonsource.names import API, Names
from pybuild.lang.textual import tree
from pybuild.lang.textual.check.walk import preorder
from pybuild.lang.textual.fmt.lines import LogicalLine, Own, logical_lines
from pybuild.lang.textual.trivia import silenced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

HEADER = "# syntax=python:1"


class _Piece:
    """A comment or a declaration, and the number of blank rows above it."""

    __slots__ = ("blank", "rows")

    def __init__(self, rows: list[str], blank: int) -> None:
        self.rows = rows
        self.blank = blank


class _Unit:
    """A declaration below its comments. `decl` is None for the comments at the end of the file."""

    __slots__ = ("decl", "pieces")

    def __init__(self, decl: tree.Decl | None, pieces: list[_Piece]) -> None:
        self.decl = decl
        self.pieces = pieces

    @property
    def has_body(self) -> bool:
        return isinstance(self.decl, tree.Def | tree.Target)

    def touching(self) -> int:
        """Return the index of the first piece that touches the declaration."""
        at = len(self.pieces) - 1
        while at and not self.pieces[at].blank:
            at -= 1
        return at


def module(file: tree.File) -> str:
    expressions = Expressions(facts_of(file), Names(file))
    lines, rest = logical_lines(file)
    units = _units(lines, expressions)
    above = _detached(units)
    units = _in_order(units)
    if rest:
        units.append(_Unit(None, [_Piece([comment(own.text)], int(own.blank)) for own in rest]))
    for before, unit in pairwise([None, *units]):
        assert unit is not None
        _space(before, unit)
    pieces = [*above, _Piece(_imports(file), 1), *(piece for unit in units for piece in unit.pieces)]
    out = [HEADER]
    for piece in pieces:
        out += [*[""] * piece.blank, *piece.rows]
    return "".join(f"{row}\n" for row in out)


def _imports(file: tree.File) -> list[str]:
    functions = [decl for decl in file.decls if isinstance(decl, tree.Def)]
    typed = any(types.is_literal(node) for node in preorder(*functions))
    return [*(["from typing import Literal", ""] if typed else []), f"import pybuild as {API}"]


def _units(lines: Sequence[LogicalLine], expressions: Expressions) -> list[_Unit]:
    starts = [at for at, line in enumerate(lines) if line.depth == 0]
    defaults = _said_by_decorators(lines)
    out = []
    for at, stop in zip(starts, (*starts, len(lines))[1:], strict=True):
        decl: tree.Decl = lines[at].node  # type: ignore[assignment]
        if isinstance(decl, tree.Default) and decl in defaults:
            continue
        named = isinstance(decl, tree.Target) and decl.name.name in defaults.values()
        rows = Rows(expressions)
        rows.head(lines[at], declaration(decl, expressions, default=named))
        rows.rows += opening(decl, expressions)
        rows.body(lines[at:stop], body_of(decl, expressions))
        own, blank = _remarks(lines[at], decl)
        pieces = [_Piece([comment(one.text)], int(one.blank)) for one in own]
        out.append(_Unit(decl, [*pieces, _Piece(rows.rows, int(blank))]))
    return out


def _said_by_decorators(lines: Sequence[LogicalLine]) -> dict[tree.Decl, str]:
    """Return `default` lines, without comments, that name a target of the file; each with that name."""
    targets = {
        one.node.name.name for one in lines if isinstance(one.node, tree.Target) and one.node.kind == "target"
    }
    return {
        one.node: one.node.name.name
        for one in lines
        if isinstance(one.node, tree.Default)
        and one.node.name.name in targets
        and not (one.above or one.inner or one.trailing or one.below)
    }


def _remarks(line: LogicalLine, decl: tree.Decl) -> tuple[list[Own], bool]:
    """Return the comments above a declaration, except its doc, and whether a blank row stays below them."""
    out, silencing, blank = list(line.above), [], line.blank
    if not isinstance(decl, tree.Param | tree.Group | tree.Target | tree.Def) or not decl.doc:
        return out, blank
    below = line.start[0]
    while out and out[-1].line == below - 1 and not out[-1].indented:
        remark = out.pop()
        below, blank = remark.line, remark.blank
        if silenced(remark.text) is not None:
            silencing.append(remark)
    if silencing:
        silencing[-1].blank, blank = blank, False
    return [*out, *reversed(silencing)], blank


def _detached(units: Sequence[_Unit]) -> list[_Piece]:
    """Remove and return the comments at the top of the file that touch no declaration: they are about the whole
    file."""
    if not units:
        return []
    first = units[0]
    touching = first.touching()
    above, first.pieces = first.pieces[:touching], first.pieces[touching:]
    if above:
        above[0].blank = 1
    return above


def _in_order(units: Sequence[_Unit]) -> list[_Unit]:
    by_decl = {unit.decl: unit for unit in units if unit.decl is not None}
    return [by_decl[decl] for decl in order.ordered([*by_decl])]


def _space(before: _Unit | None, unit: _Unit) -> None:
    first = unit.pieces[0]
    if before is None:
        first.blank = 1
    if before is not None and before.has_body:
        first.blank = 2
    if unit.has_body:
        unit.pieces[unit.touching()].blank = 2
