"""A right program cut into pieces: words, signs, whole strings, numbers and raw texts, with their offsets.

Pieces of interpolations come behind the string or the raw text that they stand in.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from pybuild.lang.source import Source, Span
from pybuild.lang.textual.lexer import Lexer
from pybuild.lang.textual.tokens import HARD, Line

_OPENERS, _CLOSERS = "([{", ")]}"


@dataclass(frozen=True)
class Piece:
    """`kind` is `name`, `keyword`, `sign`, `string`, `number` or `raw`; `depth` counts the brackets around it, `at`
    the pieces before it in its logical line, `head` is the line's first word. `spliced`: inside an interpolation."""

    kind: str
    text: str
    start: int
    end: int
    row: int
    at: int
    depth: int
    head: str
    spliced: bool


@dataclass(frozen=True)
class Row:
    """A logical line: its pieces, its first and last row (from 1), and its indentation."""

    pieces: tuple[Piece, ...]
    first: int
    last: int
    indent: int

    @property
    def head(self) -> str:
        return self.pieces[0].text


class Program:
    """The pieces of `text`, by logical line."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = text.split("\n")
        self._starts = [0, *accumulate(len(line) + 1 for line in self.lines)]
        lexer = Lexer(Source("x", text))
        lexer.read()
        self.rows = [self._row(line) for line in lexer.lines]

    @cached_property
    def pieces(self) -> list[Piece]:
        return [piece for row in self.rows for piece in row.pieces]

    def start(self, row: int) -> int:
        """The offset of a row; rows count from 1."""
        return self._starts[row - 1]

    def row_of(self, offset: int) -> int:
        return self.text.count("\n", 0, offset) + 1

    def opened(self, offset: int) -> int:
        """The first row of the logical line that an offset lies in; in raw text, and between lines, its own."""
        number = self.row_of(offset)
        for row in self.rows:
            if row.first <= number <= row.last and row.head not in ("run", "write"):
                return row.first
        return number

    def body(self, row: Row) -> list[Row]:
        """The lines that are indented below a line."""
        found = []
        for other in self.rows[self.rows.index(row) + 1 :]:
            if other.indent <= row.indent:
                break
            found.append(other)
        return found

    def declared(self) -> dict[str, Row]:
        """Lines of the top level that bind a name."""
        found = {}
        for row in self.rows:
            if row.indent == 0 and row.head in ("param", "let", "group", "def", "target", "test"):
                found[row.pieces[1].text] = row
        return found

    def uses(self, name: str, *, but: Row) -> list[int]:
        """The rows of all names that are written so, outside of the line that declares it."""
        return [
            piece.row
            for row in self.rows
            if row is not but
            for piece in row.pieces
            if piece.kind == "name" and piece.text == name
        ]

    def _offsets(self, span: Span) -> tuple[int, int]:
        return self._starts[span.line - 1] + span.column - 1, self._starts[
            span.end_line - 1
        ] + span.end_column - 1

    def _row(self, line: Line) -> Row:
        pieces: list[Piece] = []
        open_string = -1
        depth = 0
        spliced = 0
        for kind, value in zip(line.kinds, line.values, strict=True):
            start, end = self._offsets(value.span)
            text = self.text[start:end]
            if kind == "STRING_START":
                open_string = start if not spliced else open_string
                continue
            if kind == "STRING_END":
                if not spliced:
                    self._add(pieces, "string", open_string, end, depth, spliced=False)
                continue
            if kind in ("${{", "}}"):
                spliced += 1 if kind == "${{" else -1
            if not text or kind == "TEXT":
                continue
            depth -= text in _CLOSERS
            self._add(pieces, self._kind(kind, text), start, end, depth, spliced=spliced > 0)
            depth += text in _OPENERS
        last = max(self.row_of(piece.end - 1) for piece in pieces)
        return Row(tuple(pieces), line.number, last, line.indent)

    def _kind(self, kind: str, text: str) -> str:
        if kind in ("STRING", "NUMBER"):
            return kind.lower()
        if kind.startswith("RAW"):
            return "raw"
        if kind == "NAME":
            return "name"
        return "keyword" if text in HARD or text.isidentifier() else "sign"

    def _add(
        self, pieces: list[Piece], kind: str, start: int, end: int, depth: int, *, spliced: bool
    ) -> None:
        text = self.text[start:end]
        head = pieces[0].text if pieces else text
        row = self.row_of(start)
        pieces.append(Piece(kind, text, start, end, row, len(pieces), depth, head, spliced))
