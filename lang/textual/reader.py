"""The common state of the lexer's parts: its position, the tokens of the line, and the stack of open constructs."""

from __future__ import annotations

from pybuild.lang.source import Source, Span
from pybuild.lang.textual import tree
from pybuild.lang.textual.tokens import WRONG, Line, Word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.textual.literals import Fragment


class Open:
    """An open construct that starts at `word`: a bracket, an interpolation (`${{`), or a text in the quotes `kind`
    ("" for raw text). `at` is the index of its first token."""

    __slots__ = ("at", "brackets", "fragments", "kind", "last", "margin", "runs", "text", "word")

    def __init__(self, kind: str, word: Word, at: int, *, text: bool = False) -> None:
        self.kind = kind
        self.word = word
        self.at = at
        self.text = text
        self.runs: list[tuple[int, list[Fragment]]] = []
        """The pieces of a text between interpolations, each with the index of its token."""
        self.fragments: list[Fragment] = []
        """The piece that is being read."""
        self.last = 0
        """The last row of raw text."""
        self.margin = 0
        """The column where raw text starts in its rows."""
        self.brackets: dict[str, int] = {}
        """The open brackets around an interpolation."""


class Reader:
    """The position in a source. `row` and `column` count from 0; `text` is the row."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.rows = [row.removesuffix("\r") for row in source.text.split("\n")]
        self.row = 0
        self.column = 0
        self.text = ""
        self.line = Line(0, 0)
        self.open: list[Open] = []
        self.outer: int | None = None
        """The stack index of the outermost open interpolation."""
        self.brackets: dict[str, int] = {}
        """The number of open brackets of each kind since the innermost interpolation."""

    def at_row(self, row: int, column: int) -> None:
        self.row, self.column, self.text = row, column, self.rows[row]

    def span(self, start: int, end: int) -> Span:
        """Return the span of columns `start` to `end` of the row."""
        return Span(self.source, self.row + 1, start + 1, self.row + 1, end + 1)

    def emit(self, kind: str, value: Any) -> None:
        self.line.kinds.append(kind)
        self.line.values.append(value)

    def word(self, kind: str, text: str, start: int) -> None:
        """Emit a word or sign of the row."""
        self.emit(kind, Word(text, self.span(start, start + len(text))))

    def node(self, kind: str, literal: tree.Node | Diagnostic) -> None:
        """Emit a literal, or the message about it as a `WRONG` token."""
        self.emit(kind if isinstance(literal, tree.Node) else WRONG, literal)

    def wrong(self, problem: Diagnostic) -> None:
        self.emit(WRONG, problem)

    def cut(self, at: int, problem: Diagnostic) -> None:
        """Replace all tokens from `at` on with a mistake."""
        del self.line.kinds[at:], self.line.values[at:]
        self.wrong(problem)

    def end_line(self) -> None:
        place = self.span(self.column, self.column)
        if self.line.values and self.line.kinds[-1] != WRONG:
            last = self.line.values[-1].span
            place = Span(self.source, last.end_line, last.end_column, last.end_line, last.end_column)
        self.emit("_NL", Word("", place))

    def push(self, opened: Open) -> None:
        if opened.kind == "${{":
            self.outer = len(self.open) if self.outer is None else self.outer
            opened.brackets, self.brackets = self.brackets, {}
        else:
            self.brackets[opened.kind] = self.brackets.get(opened.kind, 0) + 1
        self.open.append(opened)

    def pop(self) -> Open:
        if self.outer == len(self.open) - 1:
            self.outer = None
        opened = self.open.pop()
        if opened.kind == "${{":
            self.brackets = opened.brackets
        else:
            self.brackets[opened.kind] -= 1
        return opened

    def close_all(self) -> None:
        """Forget all open brackets of code."""
        self.open.clear()
        self.brackets = {}
