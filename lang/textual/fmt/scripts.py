"""Raw text: its indentation moves, and a script is a line or a block by how many lines it has. What the shell gets
stays the same to the byte, by what a script of a line and of a block is (spec section 4) and by what is run of it."""

from __future__ import annotations

from pybuild.lang.textual import tree
from pybuild.lang.textual.fmt.docs import STEP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def raw_rows(script: tree.Script) -> list[str]:
    """The rows of raw text as they are written, without its indentation."""
    span = script.span
    first, *more = [span.source.line(number) for number in range(span.line, span.end_line + 1)]
    start = script.indent if script.block else span.column - 1
    return [first[start:], *(row[script.indent :] for row in more)]


def shifted(rows: Sequence[str], indent: int) -> list[str]:
    margin = " " * indent
    return [margin + row if row else "" for row in rows]


def run(script: tree.Script, indent: int) -> list[str]:
    """The rows of a `run` whose word stands at `indent`."""
    margin = " " * indent
    rows = raw_rows(script)
    block = rows if script.block else _block(rows)
    if block is not None and not (script.block and _is_line(rows)):
        return [f"{margin}run:", *shifted(block, indent + STEP)]
    return [f"{margin}run {rows[0]}", *shifted(rows[1:], indent)]


def _is_line(rows: Sequence[str]) -> bool:
    """Whether the script of a block can be a line's: neither would that take the next line along, nor open a block,
    nor would it no longer be a file with an interpreter."""
    text = rows[0]
    return (
        len(rows) == 1
        and not text.startswith(("#!", "\t"))
        and not text.endswith("\\")
        and text.rstrip(" \t") != ":"
    )


def _block(rows: Sequence[str]) -> Sequence[str] | None:
    """The rows of a block that has the script of a line, if that goes on; None where a block would be a file with an
    interpreter, or would lose blanks at its end."""
    kept = list(rows)
    while kept and not kept[-1].strip(" \t"):
        kept.pop()
    text = "\n".join(kept)
    # The end of a block is no newline of its script, but for one that its last character escapes.
    same = "\n".join(rows) == (f"{text}\n" if text.endswith("\\") else text)
    return kept if len(rows) > 1 and same and not rows[0].startswith("#!") else None
