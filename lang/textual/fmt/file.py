"""Formatting of a whole file: its header, `use` lines, declarations, and the blank rows between them.

1. Lay out the lines of each declaration, with the comments above them.
2. Sort the `use` lines and put them first, each with the comments that touch it.
3. Set the blank rows between declarations by their kinds; those inside declarations are the author's.
"""

from __future__ import annotations

from itertools import pairwise

from pybuild.lang.textual import tree
from pybuild.lang.textual.fmt.docs import STEP
from pybuild.lang.textual.fmt.lines import LogicalLine, Own, logical_lines
from pybuild.lang.textual.fmt.rows import rows
from pybuild.lang.textual.trivia import is_header, silenced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class _Piece:
    """A comment or a declaration as rows of text. `blank` says that a blank row precedes it."""

    __slots__ = ("blank", "rows")

    def __init__(self, rows: list[str], *, blank: bool) -> None:
        self.rows = rows
        self.blank = blank


class _Unit:
    """A declaration, `own`, below its comments. `decl` is None for the comments at the end of the file."""

    __slots__ = ("decl", "own", "remarks")

    def __init__(self, decl: tree.Decl | None, remarks: list[_Piece], own: _Piece | None) -> None:
        self.decl = decl
        self.remarks = remarks
        self.own = own

    @property
    def pieces(self) -> list[_Piece]:
        return [*self.remarks, self.own] if self.own is not None else self.remarks

    @property
    def has_body(self) -> bool:
        return isinstance(self.decl, tree.Target | tree.Def)

    def detach(self) -> list[_Piece]:
        """Remove and return the comments that don't touch the declaration."""
        pieces = self.pieces
        touching = len(pieces) - 1
        while touching and not pieces[touching].blank:
            touching -= 1
        detached = self.remarks[:touching]
        del self.remarks[:touching]
        return detached


def formatted(file: tree.File) -> str:
    units = _units(file)
    first = _first_row(file, units)
    remarks = units[0].detach() if units else []
    top = [*first, *remarks]
    if first and remarks:
        remarks[0].blank = True
    ordered = _ordered(units)
    if top and ordered:
        ordered[0].pieces[0].blank = True
    for before, unit in pairwise(ordered):
        _space(before, unit)
    return _text(
        [*top, *(piece for unit in ordered for piece in unit.pieces)], headed=file.header is not None
    )


def _text(pieces: Sequence[_Piece], *, headed: bool) -> str:
    out: list[str] = []
    for piece in pieces:
        if piece.blank and out:
            out.append("")
        out += piece.rows
    if out and not headed and is_header(out[0]):
        # A comment that isn't the header where it stands must not become it.
        out.insert(0, "")
    return "".join(f"{row}\n" for row in out)


# Declarations


def _units(file: tree.File) -> list[_Unit]:
    lines, rest = logical_lines(file)
    functions = frozenset(decl.name.name for decl in file.decls if isinstance(decl, tree.Def))
    starts = [at for at, line in enumerate(lines) if line.depth == 0]
    units = []
    for at, stop in zip(starts, (*starts, len(lines))[1:], strict=True):
        first = lines[at]
        piece = _Piece(_body(lines[at:stop], functions), blank=first.blank)
        units.append(_Unit(first.node, _remarks(first.above, piece), piece))  # type: ignore[arg-type]
    if rest:
        units.append(_Unit(None, _remarks(rest, None), None))
    return units


def _remarks(comments: Sequence[Own], decl: _Piece | None) -> list[_Piece]:
    """Return comments between declarations, which move to the first column.

    Only comments that were in the first column are docs. The others get a blank row that separates them from a
    declaration or docs below."""
    out = [_Piece([own.text], blank=own.blank) for own in comments]
    following = [*out[1:], *([decl] if decl is not None else [])]
    for own, piece, below in zip(comments, out, following, strict=False):
        if own.indented and silenced(own.text) is None:
            below.blank = True
        elif own.indented and piece is not out[0]:
            piece.blank = True
    return out


def _first_row(file: tree.File, units: Sequence[_Unit]) -> list[_Piece]:
    """Return the header, or the comment that allows it to be missing, if there is one. A blank row follows it."""
    if file.header is not None:
        row = file.source.line(1).rstrip()
        plain = file.header.span.end_column == len(row) + 1
        return [_Piece([f"# syntax={file.header.reference}" if plain else row], blank=False)]
    comment = file.comments[0] if file.comments else None
    if comment is None or (comment.span.line, comment.span.column) != (1, 1):
        return []
    if silenced(comment.text) != frozenset(("W0802",)):
        return []
    piece = units[0].remarks.pop(0)
    if units[0].pieces:
        units[0].pieces[0].blank = True
    return [piece]


def _ordered(units: Sequence[_Unit]) -> list[_Unit]:
    """Put `use` lines first. Comments that don't touch a `use` below other declarations stay at their place."""
    uses: list[_Unit] = []
    others: list[_Unit] = []
    left: list[_Piece] = []
    for unit in units:
        if isinstance(unit.decl, tree.Use):
            left += unit.detach() if others else []
            uses.append(unit)
        else:
            if left and unit.pieces:
                unit.pieces[0].blank = True
            unit.remarks[:0] = left
            left = []
            others.append(unit)
    if left:
        others.append(_Unit(None, left, None))
    uses.sort(key=lambda unit: _origin(unit.decl))
    return [unit for unit in (*uses, *others) if unit.pieces]


def _origin(use: tree.Decl | None) -> tuple[int, str, str]:
    """Return the sort key of a `use`: the standard library, remote modules, files of the project."""
    assert isinstance(use, tree.Use)
    alias = use.alias.name if use.alias is not None else ""
    if use.path is None:
        return 0, use.module.name if use.module is not None else "", alias
    path = "".join(part.value for part in use.path.parts if isinstance(part, tree.Text))
    return (2 if path.startswith(("./", "../")) else 1), path, alias


def _space(before: _Unit, unit: _Unit) -> None:
    """Set the blank rows between two declarations. A required one precedes the comments of the second, unless the
    author has one elsewhere between the two."""
    first = unit.pieces[0]
    if before.has_body:
        first.blank = True
    elif isinstance(unit.decl, tree.Use):
        first.blank = first.blank and bool(unit.remarks)
    elif unit.decl is not None and (unit.has_body or type(unit.decl) is not type(before.decl)):
        first.blank = first.blank or not any(piece.blank for piece in unit.pieces)


# Bodies


def _body(lines: Sequence[LogicalLine], functions: frozenset[str]) -> list[str]:
    """Return a declaration with its body."""
    out = rows(lines[0], functions)
    for before, line in pairwise(lines):
        out += _comments(before.below)
        goes_on = line.word in ("elif", "else")
        above = _comments(line.above, tight=goes_on or before.opens, all_tight=goes_on)
        out += above
        if line.blank and not goes_on and (above or not before.opens):
            out.append("")
        out += rows(line, functions)
    return out + _comments(lines[-1].below)


def _comments(comments: Iterable[Own], *, tight: bool = False, all_tight: bool = False) -> list[str]:
    """Return comments in a body. If `tight`, no blank row precedes the first."""
    out: list[str] = []
    for own in comments:
        if own.blank and not tight:
            out.append("")
        tight = all_tight
        out.append(" " * own.depth * STEP + own.text)
    return out
