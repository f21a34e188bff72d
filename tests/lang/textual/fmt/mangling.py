"""A file in the formatter's form, written carelessly: other indentation, blanks, quotes, breaks in brackets, commas
and blank rows, all of which the formatter undoes."""

from __future__ import annotations

import random
from typing import Any

from pybuild.lang.source import Source
from pybuild.lang.textual.lexer import Lexer
from pybuild.lang.textual.tokens import Line

_SIGNS = frozenset("()[]{},:.=")


def mangled(text: str, seed: int) -> str:
    return _Mangler(text, random.Random(seed)).text()


class _Mangler:
    def __init__(self, text: str, rng: random.Random) -> None:
        lexer = Lexer(Source("build.pybuild", text))
        lexer.read()
        self._rows = text.split("\n")
        self._lines = lexer.lines
        self._rng = rng
        self._step = rng.choice((1, 2, 3, 8))
        self._comments = {one.span.line: one for one in lexer.comments}

    def text(self) -> str:
        out: list[str] = []
        last = 0
        for line in self._lines:
            out += self._between(last, line.number)
            rows, last = self._line(line)
            out += rows
        out += self._between(last, len(self._rows) + 1)
        return "\n".join(out) + "\n" * self._rng.randrange(1, 3)

    def _between(self, last: int, following: int) -> list[str]:
        """Comments and blank rows."""
        out: list[str] = []
        for row in self._rows[last : following - 1]:
            if not row:
                out += [self._rng.choice(("", "  ")) for _ in range(self._rng.choice((1, 2, 3)))]
            else:
                margin = len(row) - len(row.lstrip())
                out.append(" " * (margin // 4 * self._step) + row.strip() + self._rng.choice(("", "  ")))
        return out

    def _line(self, line: Line) -> tuple[list[str], int]:
        indent = line.indent // 4 * self._step
        pieces, last, block = self._pieces(line)
        text = " " * indent + self._spaced(pieces)
        if last in self._comments:
            text += self._rng.choice(("", "     ")) + self._comments[last].text
        if block is None:
            return [text], last
        margin = " " * (indent + self._rng.choice((1, 4, 5)))
        first, stop, cut = block
        rows = self._rows[first - 1 : stop]
        return [text, *(margin + row[cut:] if row[cut:] else "" for row in rows)], stop

    def _pieces(self, line: Line) -> tuple[list[tuple[str, str]], int, tuple[int, int, int] | None]:
        """The tokens of a line as kinds and texts, its last row, and the rows of its block with their indentation."""
        out: list[tuple[str, str]] = []
        last, at = line.number, 0
        while at < len(line.kinds):
            kind, value = line.kinds[at], line.values[at]
            if kind == "_NL":
                break
            if kind in ("RAW_BLOCK", "BLOCK_START"):
                end = value.span.end_line if kind == "RAW_BLOCK" else line.values[-1].span.end_line
                return out, last, (last + 1, end, value.indent)
            stop = _end(line, at)
            out.append((kind, self._quoted(kind, self._source(value, line.values[stop]))))
            last = line.values[stop].span.end_line
            at = stop + 1
        return out, last, None

    def _source(self, first: Any, final: Any) -> str:
        a, b = first.span, final.span
        rows = self._rows[a.line - 1 : b.end_line]
        rows[-1] = rows[-1][: b.end_column - 1]
        rows[0] = rows[0][a.column - 1 :]
        return "\n".join(rows)

    def _quoted(self, kind: str, text: str) -> str:
        if kind == "STRING" and text[0] == '"' and not text.startswith('"""') and "'" not in text:
            return f"'{text[1:-1]}'" if self._rng.random() < 0.5 else text
        return text

    def _spaced(self, pieces: list[tuple[str, str]]) -> str:
        rng = self._rng
        out, left, depth = "", "", 0
        for at, (kind, text) in enumerate(pieces):
            following = pieces[at + 1][0] if at + 1 < len(pieces) else ""
            if text == "," and following in (")", "]", "}") and rng.random() < 0.5:
                continue
            closes = kind in (")", "]", "}")
            depth -= closes
            if out and kind in ("RAW_LINE", "LINE_START"):
                out += " "
            elif (
                out
                and (depth or closes)
                and left != ":"
                and kind not in ("if", "for", "else")
                and rng.random() < 0.2
            ):
                out += rng.choice((" ", "")) + "\n" * rng.choice((1, 2)) + " " * rng.choice((0, 3, 11))
            elif out:
                tight = kind in _SIGNS or left in _SIGNS
                out += rng.choice(("", " ", "  ")) if tight else rng.choice((" ", "   "))
            depth += kind in ("(", "[", "{")
            out += text
            left = kind
        return out


def _end(line: Line, at: int) -> int:
    """The last token of what starts at one: itself, but for text with interpolations."""
    depth = 0
    while True:
        kind = line.kinds[at]
        depth += kind in ("STRING_START", "LINE_START")
        depth -= kind in ("STRING_END", "LINE_END")
        if not depth:
            return at
        at += 1
