"""Writes Python's string literals as formatters do: in double quotes unless that adds escapes."""

from __future__ import annotations

from attrs import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

_ESCAPES: Final = {"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
TRIPLE: Final = '"""'


@frozen
class Hole:
    """An expression inside an f-string, as source text."""

    source: str


Piece = str | Hole


def quote_for(text: str) -> str:
    return "'" if text.count('"') > text.count("'") else '"'


def string(text: str, quote: str = "") -> str:
    """Return a literal of one row, raw if that saves backslashes."""
    quote = quote or quote_for(text)
    raw = "\\" in text and _is_plain(text) and quote not in text and not text.endswith("\\")
    return f"r{quote}{text}{quote}" if raw else quote + _escaped(text, quote) + quote


def row(pieces: Sequence[Piece], quote: str) -> str:
    """Return one of the literals for a text of several rows, which is never raw. `quote` is for f-strings."""
    if all(isinstance(piece, str) for piece in pieces):
        text = "".join(map(str, pieces))
        quote = quote_for(text)
        return quote + _escaped(text, quote) + quote
    fstring = formatted(pieces, quote)
    assert fstring is not None
    return fstring


def formatted(pieces: Sequence[Piece], quote: str) -> str | None:
    """Return a literal of one row with expressions in it; None if Python 3.11 has no f-string for them."""
    if all(isinstance(piece, str) for piece in pieces):
        return string("".join(map(str, pieces)), quote)
    out = []
    for piece in pieces:
        if isinstance(piece, str):
            out.append(_escaped(piece, quote).replace("{", "{{").replace("}", "}}"))
        elif any(char in piece.source for char in (quote, "\\", "\n", "#")):
            return None
        else:
            space = " " if piece.source.startswith("{") else ""
            out.append(f"{{{space}{piece.source}{space}}}")
    return f"f{quote}{''.join(out)}{quote}"


def rows(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Return the pieces of each row of a text, line ends included."""
    out: list[list[Piece]] = [[]]
    for piece in pieces:
        if isinstance(piece, Hole):
            out[-1].append(piece)
            continue
        for at, part in enumerate(piece.split("\n")):
            if at:
                out[-1].append("\n")
                out.append([])
            if part:
                out[-1].append(part)
    return [row for row in out if row]


def block(text: str) -> tuple[str, list[str]] | None:
    """Return the opening quotes and the rows of a triple-quoted literal, whose closing quotes are on a row of their
    own.

    None for a text that would be changed when its indentation is removed.
    """
    lines = text.removesuffix("\n").split("\n")
    if (
        text.endswith("\n\n")
        or not lines[0]
        or any(line != line.rstrip() and not line.strip() for line in lines)
    ):
        return None
    if not _is_plain(text.replace("\n", "").replace("\t", "")) or all(
        line[:1] in " \t" for line in lines if line
    ):
        return None
    if TRIPLE in text:
        return (TRIPLE, [line.replace("\\", "\\\\").replace('"""', '\\"\\"\\"') for line in lines])
    return (f"r{TRIPLE}" if "\\" in text else TRIPLE, lines)


def _is_plain(text: str) -> bool:
    return text.isprintable()


def _escaped(text: str, quote: str) -> str:
    return "".join(_ESCAPES.get(char) or _character(char, quote) for char in text)


def _character(char: str, quote: str) -> str:
    if char == quote:
        return f"\\{char}"
    return char if char.isprintable() else char.encode("unicode_escape").decode()
