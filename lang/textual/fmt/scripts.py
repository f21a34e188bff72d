"""Raw text: its indentation moves, and a script becomes a line or a block by its number of lines. The shell gets
the same bytes as before, whether its script comes from a line or a block (language spec, section 4)."""

from __future__ import annotations

from pybuild.lang.textual import tree
from pybuild.lang.textual.fmt.docs import STEP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def raw_rows(script: tree.Script) -> list[str]:
    """Return the rows of raw text as written, without its indentation."""
    span = script.span
    first, *more = [span.source.line(number) for number in range(span.line, span.end_line + 1)]
    start = script.indent if script.block else span.column - 1
    return [first[start:], *(row[script.indent :] for row in more)]


def shifted(rows: Sequence[str], indent: int) -> list[str]:
    margin = " " * indent
    return [margin + row if row else "" for row in rows]


def run(script: tree.Script, indent: int) -> list[str]:
    """Return the rows of a `run` whose first word is at `indent`."""
    margin = " " * indent
    rows = raw_rows(script)
    block = rows if script.block else _block(rows)
    if block is not None and not (script.block and _is_line(rows)):
        return [f"{margin}run:", *shifted(block, indent + STEP)]
    return [f"{margin}run {rows[0]}", *shifted(rows[1:], indent)]


def _is_line(rows: Sequence[str]) -> bool:
    """Tell whether the script of a block can be written on one line: it must not continue on the next line, open a
    block, or be a file with an interpreter."""
    text = rows[0]
    return (
        len(rows) == 1
        and not text.startswith(("#!", "\t"))
        and not text.endswith("\\")
        and text.rstrip(" \t") != ":"
    )


def _block(rows: Sequence[str]) -> Sequence[str] | None:
    """Return the rows of a block with the script of a continued line. None if the block would be a file with an
    interpreter, or would lose blanks at its end."""
    trimmed = list(rows)
    while trimmed and not trimmed[-1].strip(" \t"):
        trimmed.pop()
    text = "\n".join(trimmed)
    # A block's last newline is no part of its script, unless the last character is a backslash.
    same = "\n".join(rows) == (f"{text}\n" if text.endswith("\\") else text)
    return trimmed if len(rows) > 1 and same and not rows[0].startswith("#!") else None
