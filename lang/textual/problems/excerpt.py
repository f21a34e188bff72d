"""Source text quoted in messages."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Final

    from pybuild.lang.source import Span

LONGEST: Final = 60
"""The most characters of source text that a title or a help line quotes."""


def excerpt(span: Span, longest: int = LONGEST) -> str:
    """Return the text of a span, "" if it is long or has several lines."""
    if span.line != span.end_line or span.end_column - span.column > longest:
        return ""
    return span.source.line(span.line)[span.column - 1 : span.end_column - 1]


def named(span: Span) -> str:
    """Return the text of a span for a title: in backticks, or `this`."""
    text = excerpt(span, 30)
    return f"`{text}`" if text else "this"


def listed(words: Sequence[str], last: str = "or") -> str:
    """Return `a, b or c`. A long list is cut."""
    if len(words) > 12:
        return f"{', '.join(words[:11])}, …"
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def literals(options: Iterable[str], last: str = "or") -> str:
    """Return strings as a list of literals."""
    return listed([f'"{option}"' for option in options], last)
