"""The part of the lexer that reads strings and raw text, up to an interpolation or the end."""

from __future__ import annotations

import re

from pybuild.lang.source import Source, Span
from pybuild.lang.textual import literals, tree
from pybuild.lang.textual.problems import syntax
from pybuild.lang.textual.reader import Open, Reader
from pybuild.lang.textual.tokens import TOP, WRONG, Word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# Possessive quantifiers: text without an end is not read again and again.
_RUNS: Final = {
    '"': re.compile(r'(?:[^"\\$]|\\.|\$\$\{\{|\$(?!\{\{))*+'),
    "'": re.compile(r"(?:[^'\\$]|\\.|\$\$\{\{|\$(?!\{\{))*+"),
    '"""': re.compile(r'(?:[^"\\$]|\\.|"(?!"")|\$\$\{\{|\$(?!\{\{))*+'),
    "": re.compile(r"(?:[^$]|\$\$\{\{|\$(?!\{\{))*+"),
}
"""Text up to its end or an interpolation, by the quotes around it ("" for raw text)."""
_DECLARATION: Final = re.compile(
    rf"(?:{'|'.join(TOP)})[ \t]+(?:[A-Za-z_][A-Za-z0-9_]*[ \t]*(?:$|[:=(]|on\b|for\b)|[\"'])"
)
"""A row that looks like a declaration."""


class Texts(Reader):
    def __init__(self, source: Source, unclosed: tuple[int, int] | None = None) -> None:
        super().__init__(source)
        self._unclosed = unclosed
        r"""The line and column of a `\"\"\"` that is taken to end with its row."""
        self.endless = False
        """A string of several lines without an end has been found. From then on, such strings end at the latest
        before the next row with text in the first column."""
        self.swallowing: tuple[int, int] | None = None
        """The line and column of the first string of several lines that seems to contain declarations."""

    def read_text(self, top: Open) -> None:
        """Read text from here to its end, or to an interpolation, which it opens."""
        pattern = _RUNS[top.kind]
        while True:
            start = self.column
            match = pattern.match(self.text, start)
            end = self.column = match.end() if match else start
            if self.text.startswith("${{", end):
                top.fragments.append((self.row, start, self.text[start:end]))
                self._open_interpolation(top)
                return
            if top.kind and self.text.startswith(top.kind, end):
                top.fragments.append((self.row, start, self.text[start:end]))
                self.column = end + len(top.kind)
                self._close_string(top)
                return
            top.fragments.append((self.row, start, self.text[start:]))
            self.column = len(self.text)
            if not self._next_row(top):
                return

    def _next_row(self, top: Open) -> bool:
        """Go to the next row if the text continues there, else close the text. Returns whether it continues."""
        if not top.kind:
            if self.row < top.last:
                self.at_row(self.row + 1, min(top.margin, len(self.rows[self.row + 1])))
                return True
            self._close_raw(top)
            return False
        unclosed = (top.word.span.line, top.word.span.column) == self._unclosed
        if (
            top.kind == '"""'
            and not unclosed
            and self.row + 1 < len(self.rows)
            and not (self.endless and self._starts(self.row + 1))
        ):
            self.at_row(self.row + 1, 0)
            return True
        if top.kind == '"""' and not unclosed:
            self.endless = True
            # Go back, so that only the rows up to the next one in the first column are lost.
            row = top.word.span.line - 1
            while row + 1 < len(self.rows) and not self._starts(row + 1):
                row += 1
            self.at_row(row, len(self.rows[row]))
        self.pop()
        self.cut(top.at, syntax.unterminated_string(top.word.span, top.kind))
        return False

    def _starts(self, row: int) -> bool:
        """Tell whether a row has text in its first column."""
        return bool(self.rows[row][:1].strip())

    def _open_interpolation(self, top: Open) -> None:
        if not top.runs and top.kind:
            self.emit("STRING_START", top.word)
        self._end_run(top)
        at = len(self.line.kinds)
        self.word("${{", "${{", self.column)
        self.push(Open("${{", self.line.values[-1], at))
        self.column += 3

    def _end_run(self, top: Open) -> None:
        """Make one token of the fragments so far. Its value is set when the text ends, as that decides the
        indentation."""
        top.runs.append((len(self.line.kinds), top.fragments))
        self.emit("TEXT", Word("", top.word.span))
        top.fragments = []

    def _fill(self, at: int, value: object) -> None:
        """Set the value of a text's token, unless the token has been cut."""
        if value is not None and at < len(self.line.kinds):
            self.line.values[at] = value
            if not isinstance(value, tree.Node):
                self.line.kinds[at] = WRONG

    def _close_string(self, top: Open) -> None:
        self.pop()
        whole = not top.runs
        self._end_run(top)
        opening = top.word.span
        if top.kind == '"""':
            start, end = (opening.line - 1, opening.end_column - 1), (self.row, self.column - 3)
            literals.dedent([run for _, run in top.runs], self.rows, start, end)
            # Needed only if a later string has no end (`lexed`).
            if self.swallowing is None and any(map(_DECLARATION.match, self.rows[opening.line : self.row])):
                self.swallowing = (opening.line, opening.column)
        for at, run in top.runs:
            self._fill(at, literals.text(self.source, run) if run else None)
        if not whole:
            self.word("STRING_END", top.kind, self.column - len(top.kind))
        elif self.line.kinds[-1] == "TEXT":
            part = self.line.values.pop()
            self.line.kinds.pop()
            span = Span(self.source, opening.line, opening.column, self.row + 1, self.column + 1)
            self.emit("STRING", tree.String(span, (part,) if isinstance(part, tree.Text) else ()))

    # Raw text

    def open_raw(self, start: int, last: int, margin: int, *, block: bool) -> None:
        """Read raw text from a column of this row to the end of row `last`; later rows begin at `margin`.

        A text with interpolations stays open, for `read_text`."""
        rows = self.rows[self.row : last + 1]
        kind = "BLOCK" if block else "LINE"
        if not any("${{" in row for row in rows):
            value = "\n".join([rows[0][start:], *(row[margin:] for row in rows[1:])])
            span = Span(self.source, self.row + 1, start + 1, last + 1, len(rows[-1]) + 1)
            part = tree.ScriptText(span, value + "\n" if block else value)
            self.emit(f"RAW_{kind}", tree.Script(span, (part,), block, margin))
            self.row = last + 1
            return
        self.at_row(self.row, start)
        opening = self.span(start, start)
        self.emit(f"{kind}_START", tree.Script(opening, (), block, margin))
        top = Open("", Word("", opening), len(self.line.kinds), text=True)
        top.last, top.margin = last, margin
        self.push(top)

    def _close_raw(self, top: Open) -> None:
        self.pop()
        self._end_run(top)
        block = self.line.kinds[top.at - 1] == "BLOCK_START"
        for at, run in top.runs:
            value = "\n".join(piece for _, _, piece in run).replace("$${{", "${{")
            if block and at == top.runs[-1][0]:
                value += "\n"
            if value:
                (row, column, _), (end_row, end_column, end) = run[0], run[-1]
                span = Span(self.source, row + 1, column + 1, end_row + 1, end_column + len(end) + 1)
                self._fill(at, tree.ScriptText(span, value))
        self.word("BLOCK_END" if block else "LINE_END", "", self.column)
        self.row = top.last + 1
