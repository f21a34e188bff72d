"""The values of strings and numbers: escapes, variables, indentation, units (language spec, section 4)."""

from __future__ import annotations

import re

from pybuild.lang.source import Source, Span
from pybuild.lang.textual import tree
from pybuild.lang.textual.problems import syntax

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from pybuild.lang.diagnostics import Diagnostic

Fragment = tuple[int, int, str]
"""A piece of a source row: row and column, from 0, and text."""

_ESCAPES: Final = {"n": "\n", "t": "\t", "\\": "\\", '"': '"', "'": "'", "$": "$"}
_VARIABLE: Final = re.compile(
    r"\$(?:(?P<bare>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)\}|\{[^}\\$]*\}?|\()"
)
_SPECIAL: Final = re.compile(
    r"\\(?:u\{(?P<point>[0-9A-Fa-f]{1,8})\}|(?P<escape>.?))"
    r"|(?P<literal>\$\$\{\{)"
    rf"|(?P<variable>{_VARIABLE.pattern})"
)

LARGEST: Final = 2**63 - 1
_NUMBER: Final = re.compile(
    r"(?:0x(?P<hex>[0-9a-fA-F]+(?:_[0-9a-fA-F]+)*)|0o(?P<octal>[0-7]+(?:_[0-7]+)*)"
    r"|(?P<decimal>0|[1-9][0-9]*(?:_[0-9]+)*)(?P<unit>[A-Za-z]*))\Z"
)
_DURATIONS: Final = {"ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_SIZES: Final = {
    **{f"{letter}B": 1000**power for power, letter in enumerate("KMGT", 1)},
    **{f"{letter}iB": 1024**power for power, letter in enumerate("KMGT", 1)},
}
UNITS: Final = (*_DURATIONS, *_SIZES)


def number(text: str, span: Span) -> tree.Number | Diagnostic:
    match = _NUMBER.match(text)
    if match is None:
        return syntax.bad_number(span, text, UNITS)
    digits, base = match["decimal"], 10
    if digits is None:
        digits, base = (match["hex"], 16) if match["hex"] is not None else (match["octal"], 8)
    unit = match["unit"] or ""
    scale = _DURATIONS.get(unit) or _SIZES.get(unit) or 1
    if unit and scale == 1:
        return syntax.bad_number(span, text, UNITS)
    digits = digits.replace("_", "").lstrip("0") or "0"
    # More digits than any valid number has: int() would take quadratic time.
    value = int(digits, base) * scale if len(digits) <= 24 else LARGEST + 1
    if value > LARGEST:
        return syntax.large_number(span)
    return tree.Number(span, "duration" if unit in _DURATIONS else "size" if unit else "int", value)


def text(source: Source, fragments: Sequence[Fragment]) -> tree.Text | Diagnostic | None:
    """Return the text of consecutive rows with escapes resolved; None if it is empty, a diagnostic for a bad
    escape."""
    value: list[str] = []
    variables: list[tree.Variable] = []
    length = 0
    for index, (row, column, raw) in enumerate(fragments):
        if index:
            value.append("\n")
            length += 1
        at = 0
        for match in _SPECIAL.finditer(raw) if "\\" in raw or "$" in raw else ():
            value.append(raw[at : match.start()])
            length += match.start() - at
            at = match.end()
            span = Span(source, row + 1, column + match.start() + 1, row + 1, column + at + 1)
            piece = _special(match)
            if piece is None:
                return syntax.bad_escape(span, match.group())
            if match["variable"]:
                variables.append(tree.Variable(span, match["bare"] or match["braced"] or "", piece, length))
            value.append(piece)
            length += len(piece)
        value.append(raw[at:])
        length += len(raw) - at
    if not length:
        return None
    (row, column, _), (end_row, end_column, end) = fragments[0], fragments[-1]
    span = Span(source, row + 1, column + 1, end_row + 1, end_column + len(end) + 1)
    return tree.Text(span, "".join(value), tuple(variables))


def with_variables(value: str, span: Span) -> tree.Text:
    """Return a text without escapes in which every `$X` is a variable. All variables have the place `span`."""
    variables = tuple(
        tree.Variable(span, match["bare"] or match["braced"] or "", match.group(), match.start())
        for match in (_VARIABLE.finditer(value) if "$" in value else ())
    )
    return tree.Text(span, value, variables)


def _special(match: re.Match[str]) -> str | None:
    if match["literal"]:
        return "${{"
    if match["variable"]:
        return match.group()
    if match["point"]:
        point = int(match["point"], 16)
        usable = 0 < point <= 0x10FFFF and not 0xD800 <= point <= 0xDFFF
        return chr(point) if usable else None
    return _ESCAPES.get(match["escape"])


def dedent(
    runs: Sequence[list[Fragment]], rows: Sequence[str], start: tuple[int, int], end: tuple[int, int]
) -> None:
    """Remove the common indentation from the pieces of a string between two places, in place, as `textwrap.dedent`
    does.

    Blank rows don't count and become empty. A first row without text is dropped."""
    (first, after), (last, before) = start, end
    bounds = {
        row: (after if row == first else 0, before if row == last else len(rows[row]))
        for row in range(first, last + 1)
    }
    texts = {row: rows[row][a:b] for row, (a, b) in bounds.items()}
    margins = [text[: len(text) - len(text.lstrip(" \t"))] for text in texts.values() if text.strip(" \t")]
    # What the least and the greatest have in common, all have.
    low, high = min(margins, default=""), max(margins, default="")
    margin = next((at for at, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
    for run in runs:
        for index, (row, column, raw) in enumerate(run):
            if column == bounds[row][0]:
                cut = margin if texts[row].strip(" \t") else len(raw)
                run[index] = (row, column + cut, raw[cut:])
    if last > first and not texts[first].strip(" \t"):
        del runs[0][0]
