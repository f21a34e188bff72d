"""What all targets share: inputs as text, and messages looked at."""

from __future__ import annotations

import unicodedata
import zlib
from collections.abc import Callable

from pybuild.lang.diagnostics import Diagnostic, render

Target = Callable[[bytes], None]


class Unprintable(Exception):
    """A message that a terminal would obey or not show."""


def show(diagnostic: Diagnostic, *, points: bool = False) -> None:
    """Renders the message, and looks at every character and place in it. `points`: a place may be between two
    characters."""
    shown = render(diagnostic)
    if not shown.isprintable():
        for char in set(shown) - {"\n", "\t"}:
            if not char.isprintable() and unicodedata.category(char) != "Zs":
                raise Unprintable(f"{char!r} in {shown!r}")
    for label in diagnostic.labels:
        span = label.span
        lines = span.source.text.count("\n") + 1
        assert 1 <= span.line <= span.end_line <= lines, span
        start, end = (span.line, span.column), (span.end_line, span.end_column)
        assert start < end or (points and start == end), span
        assert 1 <= span.column <= len(span.source.line(span.line)) + 1, span
        assert span.end_column <= len(span.source.line(span.end_line)) + 2, span


def text_of(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def mode_of(data: bytes, modes: int) -> int:
    return zlib.crc32(data) % modes
