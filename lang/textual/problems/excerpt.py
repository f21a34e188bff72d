"""Source text quoted in messages."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Final

    from pybuild.lang.source import Span

LONGEST: Final = 60
"""Characters of a line's text that a title or a help line quotes."""


def excerpt(span: Span, longest: int = LONGEST) -> str:
    """The text of a span that lies in one line and isn't long; "" otherwise."""
    if span.line != span.end_line or span.end_column - span.column > longest:
        return ""
    return span.source.line(span.line)[span.column - 1 : span.end_column - 1]


def named(span: Span) -> str:
    """As a title names it: the text in backticks, or `this`."""
    text = excerpt(span, 30)
    return f"`{text}`" if text else "this"


def listed(words: Sequence[str], last: str = "or") -> str:
    """`a, b or c`; the rest of many is left out."""
    if len(words) > 12:
        return f"{', '.join(words[:11])}, …"
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def literals(options: Iterable[str], last: str = "or") -> str:
    """Strings as the language writes them, listed."""
    return listed([f'"{option}"' for option in options], last)
