"""A build file's text, and spans that point into it."""

from __future__ import annotations


class Source:
    """The text of one build file under the name that a user knows it by.

    `definition` is the LLB definition it was read from, as the bytes of a `pb.Definition`; empty for a local file.
    """

    __slots__ = ("_lines", "definition", "name", "text")

    def __init__(self, name: str, text: str, *, definition: bytes = b"") -> None:
        self.name = name
        self.text = text
        self.definition = definition
        self._lines: list[str] | None = None

    def line(self, number: int) -> str:
        """Return line `number` (from 1) without its end; empty beyond the last line."""
        if self._lines is None:
            self._lines = self.text.split("\n")
        if not 1 <= number <= len(self._lines):
            return ""
        return self._lines[number - 1].removesuffix("\r")

    def __repr__(self) -> str:
        return f"Source({self.name!r})"


class Span:
    """A range of a source. Lines and columns count from 1, columns in characters; the end is exclusive."""

    __slots__ = ("column", "end_column", "end_line", "line", "source")

    def __init__(self, source: Source, line: int, column: int, end_line: int, end_column: int) -> None:
        self.source = source
        self.line = line
        self.column = column
        self.end_line = end_line
        self.end_column = end_column

    @property
    def place(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Span)
            and self.source is other.source
            and (self.line, self.column, self.end_line, self.end_column)
            == (other.line, other.column, other.end_line, other.end_column)
        )

    def __hash__(self) -> int:
        return hash((id(self.source), self.line, self.column, self.end_line, self.end_column))

    def __repr__(self) -> str:
        return f"Span({self.place}-{self.end_line}:{self.end_column})"
