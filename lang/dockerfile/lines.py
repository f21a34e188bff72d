"""Joins physical lines into the logical line of one instruction."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from pybuild.lang.source import Source, Span


class LogicalLine:
    """An instruction's text with its continuation lines joined, and the origin of each character."""

    __slots__ = ("_columns", "_numbers", "_starts", "source", "text")

    def __init__(self, source: Source, pieces: Sequence[tuple[str, int, int]]) -> None:
        """Join `pieces`: each is a text, its line (from 1) and its column (from 0)."""
        self.source = source
        self.text = "".join([text for text, _, _ in pieces])
        self._starts = list(accumulate((len(text) for text, _, _ in pieces[:-1]), initial=0))
        self._numbers = [number for _, number, _ in pieces]
        self._columns = [column for _, _, column in pieces]

    def span(self, start: int, end: int) -> Span:
        """Return the place of `text[start:end]`, at least one column wide."""
        line, column = self._place(start)
        end_line, end_column = self._place(max(start, end - 1))
        return Span(self.source, line, column + 1, end_line, end_column + 2)

    def _place(self, offset: int) -> tuple[int, int]:
        piece = max(0, bisect_right(self._starts, offset) - 1)
        return self._numbers[piece], self._columns[piece] + offset - self._starts[piece]

    @property
    def pieces(self) -> list[tuple[int, int]]:
        """The offset in `text` at which each physical line begins, and that line's number."""
        return list(zip(self._starts, self._numbers, strict=True))

    @property
    def number(self) -> int:
        """The number of the first physical line."""
        return self._numbers[0]


def physical_lines(text: str) -> list[str]:
    """Return the lines of `text` with their ends; only a line feed ends a line."""
    *full, rest = text.split("\n")
    lines = [line + "\n" for line in full]
    return [*lines, rest] if rest else lines


def trim_continuation(line: str, escape: str) -> tuple[str, bool]:
    """Return `line` without a continuation at its end, and whether there was one.

    A continuation is one escape character, perhaps with blanks after it; two in a row are none.
    """
    body = line.rstrip(" \t")
    if body.endswith(escape) and not body.endswith(escape * 2):
        return body[:-1], True
    return line, False
