"""String literals: double quotes unless they need more escapes, and no spaces inside `${{ }}`."""

from __future__ import annotations

import re
from itertools import takewhile

from pybuild.lang.textual import tree
from pybuild.lang.textual.fmt.docs import Doc, Rows, flat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

_TRIPLE: Final = '"""'
_QUOTE: Final = re.compile(r"\\(.)|([\"'])", re.DOTALL)


def string(node: tree.String, docs: Mapping[tree.Node, Doc]) -> Doc:
    """Return a literal. `docs` are the documents of the expressions inside it."""
    source, span = node.span.source, node.span
    if span.line != span.end_line:
        return _rows(node, docs)
    row = source.line(span.line)
    text = row[span.column - 1 : span.end_column - 1]
    if node.raw:
        return f'r"{text[2:-1]}"' if '"' not in text[2:-1] else text
    size = 3 if text.startswith(_TRIPLE) else 1
    quote, at = text[:size], span.column - 1 + size
    pieces = []
    for part in node.parts:
        if isinstance(part, tree.Interpolation):
            pieces += [row[at : part.span.column - 1], _inserted(part, docs)]
            at = part.span.end_column - 1
    pieces.append(row[at : span.end_column - 1 - size])
    return _quoted(pieces, quote, kept=size == 3 or _undecided(node))


def _inserted(part: tree.Interpolation, docs: Mapping[tree.Node, Doc]) -> str:
    return f"${{{{{flat(docs[part.value])}}}}}"


def _undecided(node: tree.String) -> bool:
    """Tell whether a string has text like `${X:-"a"}`. It is left alone, as messages quote it as written."""
    return any(not one.name for part in node.parts if isinstance(part, tree.Text) for one in part.variables)


def _quoted(pieces: list[str], quote: str, *, kept: bool) -> str:
    """Return text in the quotes that need fewer escapes. The pieces at odd indexes are interpolations."""
    if not kept:
        quotes = [one[1] or one[2] for text in pieces[::2] for one in _QUOTE.finditer(text)]
        quote = "'" if quotes.count('"') > quotes.count("'") else '"'
        pieces[::2] = [_QUOTE.sub(lambda one: _escaped(one, quote), text) for text in pieces[::2]]
    return quote + "".join(pieces) + quote


def _escaped(match: re.Match[str], quote: str) -> str:
    char = match[1] or match[2]
    if char not in "\"'":
        return match[0]
    return f"\\{char}" if char == quote else char


def _rows(node: tree.String, docs: Mapping[tree.Node, Doc]) -> Rows:
    """Return a string of several rows.

    Its rows move with the line's indentation if nothing follows the opening quotes: then their common indentation
    is not part of the value."""
    source, span = node.span.source, node.span
    numbers = range(span.line, span.end_line + 1)
    rows = [source.line(number) for number in numbers]
    rows[-1] = rows[-1][: span.end_column - 1]
    for part in reversed(node.parts):
        if isinstance(part, tree.Interpolation):
            at = part.span.line - span.line
            row = rows[at]
            rows[at] = row[: part.span.column - 1] + _inserted(part, docs) + row[part.span.end_column - 1 :]
    first = rows[0][span.column - 1 :]
    if first[3:].strip(" \t"):
        return Rows(first, rows[1:], moves=False, closing=False)
    rows = rows[1:]
    bodies = [*rows[:-1], rows[-1][:-3]]
    closing = not bodies[-1].strip(" \t")
    margin = _margin([row for row in bodies if row.strip(" \t")])
    moved = [row[margin:] if body.strip(" \t") else "" for row, body in zip(rows, bodies, strict=True)]
    if closing:
        moved[-1] = _TRIPLE
    return Rows(_TRIPLE, moved, moves=True, closing=closing)


def _margin(rows: list[str]) -> int:
    """Return the length of the common indentation of all rows."""
    margins = [row[: len(row) - len(row.lstrip(" \t"))] for row in rows]
    # What the least and the greatest have in common, all have.
    low, high = min(margins, default=""), max(margins, default="")
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(low, high, strict=False)))
