"""Lays out one instruction: one space between its tokens, or a line break where there was one."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import pairwise

from pybuild.lang.dockerfile.characters import SPACES
from pybuild.lang.dockerfile.fmt.tokens import BLANKS, Token, Tokens
from pybuild.lang.dockerfile.nodes import Node

INDENT = "    "


class CannotLayOut(Exception):
    """The instruction has a shape that is left alone."""


class Layout:
    """Lays out the physical lines of one instruction, heredoc bodies excluded.

    `lines` are all lines of the file with their ends.
    """

    def __init__(self, node: Node, lines: list[str]) -> None:
        self.text = node.line.text
        self.escape = node.escape
        self.lines = lines
        self.pieces = node.line.pieces
        self._starts = [start for start, _ in self.pieces]
        self.ends = [self._end(number) for _, number in self.pieces]

    def _end(self, number: int) -> str:
        line = self.lines[number - 1]
        return line[len(line.rstrip("\r\n")) :]

    def render(self, tokens: Tokens) -> str:
        """Return the instruction without the end of its last line. Raises CannotLayOut."""
        items = tokens.items
        shell = tokens.shell and any(self._breaks(token.start, token.end) for token in items)
        if items[0].start or self._breaks(items[0].start, items[0].end):
            raise CannotLayOut
        out = [self._shown(items[0])]
        for before, token in pairwise(items):
            out.append(self._gap(before.end, token, keep_indent=shell))
            out.append(self._shown(token))
        tail = items[-1].end
        if self.text[tail:].strip(BLANKS) or any(start >= tail for start, _ in self.pieces[1:]):
            raise CannotLayOut
        return "".join(out)

    def _breaks(self, start: int, end: int) -> range:
        """Return the indices of the pieces that begin within a range, its ends excluded."""
        return range(max(bisect_right(self._starts, start), 1), bisect_left(self._starts, end))

    def _shown(self, token: Token) -> str:
        if token.text is None:
            return self._verbatim(token.start, token.end)
        if self._breaks(token.start, token.end):
            raise CannotLayOut
        return token.text

    def _verbatim(self, start: int, end: int) -> str:
        out = []
        for index in self._breaks(start, end):
            at = self.pieces[index][0]
            out.append(self.text[start:at] + self.escape + self.ends[index - 1])
            out.extend(line.rstrip(SPACES) + end for line, end in self._between(index, index))
            start = at
        return "".join([*out, self.text[start:end]])

    def _gap(self, start: int, token: Token, *, keep_indent: bool) -> str:
        """Return the text between two tokens. Raises CannotLayOut if it isn't plain white space."""
        gap = self.text[start : token.start]
        if gap.strip(BLANKS) or not (gap or token.loose):
            raise CannotLayOut
        inside = range(max(bisect_left(self._starts, start), 1), bisect_right(self._starts, token.start))
        if not inside:
            return gap if token.loose else " "
        first, last = inside[0], inside[-1]
        closing = self.text[token.start : token.end] == "]"
        indent = self.text[self.pieces[last][0] : token.start] if keep_indent else "" if closing else INDENT
        out = [f" {self.escape}{self.ends[first - 1]}"]
        for line, end in self._between(first, last):
            comment = line.rstrip(SPACES) if keep_indent else line.strip(SPACES)
            out.append((indent if comment and not keep_indent else "") + comment + end)
        return "".join([*out, indent])

    def _between(self, first: int, last: int) -> Iterator[tuple[str, str]]:
        """Yield the comment and empty lines before the pieces `first` to `last`, with their ends, runs of empty lines
        as one."""
        empty = False
        for index in range(first, last + 1):
            for number in range(self.pieces[index - 1][1] + 1, self.pieces[index][1]):
                end = self._end(number)
                line = self.lines[number - 1][: -len(end)]
                if line.strip(SPACES) or not empty:
                    yield line, end
                empty = not line.strip(SPACES)
