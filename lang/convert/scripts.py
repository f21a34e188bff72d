r"""Converts scripts of RUN to `run` statements.

A Dockerfile's shell is `/bin/sh -c`, the language's `/bin/sh -e -c`: a script for which this makes a difference gets
`set +e` as its first line. Line ends that a Dockerfile removes are kept after a `\` where possible.
"""

from __future__ import annotations

import re

from pybuild.lang.convert.values import literal, raw, strings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

DEFAULT_SHELL: Final = ("/bin/sh", "-c")
MARGIN: Final = "    "

_POSIX: Final = frozenset(("sh", "ash", "bash", "dash", "ksh", "zsh"))
_SETS_E: Final = re.compile(
    r"\s*set (?:-[a-zA-Z]*e[a-zA-Z]*|-o errexit)[ \t]*(?:[;\n]|\Z|&&(?:[^&|]|&&|\|\|)*+\Z)"
)
"""Matches a script that sets `-e` first and in the shell itself: not in a pipeline or a background command."""
_ARITHMETIC: Final = re.compile(r"\$\(\([^()]*\)\)")
_ONE_COMMAND: Final = re.compile(r"\$\((?:[^()`;&\n]|&&)*\)")
_QUOTED: Final = re.compile(r"\\.|'[^']*'|\"(?:\\.|[^\"\\`$]|\$(?!\())*\"", re.DOTALL)
_SEPARATES: Final = re.compile(r"[;\n()`'\"]|(?<![&>|<])&(?![&>])")
_WORDS: Final = frozenset("if for while until case do then { } ! eval source exec trap set select".split())
_SOURCES: Final = re.compile(r"(?:^|[|&]\s*)\.\s")


def run(script: str, shell: Sequence[str], breaks: Sequence[int] = ()) -> list[str]:
    """Return the rows of a statement that passes a script to the shell.

    `shell` is `DEFAULT_SHELL` if the Dockerfile sets none. `breaks` are offsets at which the Dockerfile's line was
    continued.
    """
    ours = tuple(shell) == DEFAULT_SHELL
    text = _with_breaks(script, breaks) if shell and _is_posix(shell[0]) else script
    if ours and not is_unaffected(script):
        text = f"set +e\n{text}"
    rows = _rows(text)
    if rows is None:
        return [f"exec {strings((*shell, script))}"]
    return [f"run {rows[0]}"] if _is_line(rows) else ["run:", *(MARGIN + row if row else "" for row in rows)]


def executed(script: str) -> list[str] | None:
    """Return the rows of a statement for a script with a `#!` line; None if a block can't hold it."""
    rows = _rows(script.rstrip("\n"))
    return None if rows is None else ["run:", *(MARGIN + row if row else "" for row in rows)]


def block(text: str) -> list[str] | None:
    """Return raw text that ends with a newline as the rows of a block; None if a block can't hold it."""
    return _rows(text[:-1], escaped=True) if text.endswith("\n") else None


def is_unaffected(script: str) -> bool:
    """True if `-e` makes no difference to a script. False if in doubt.

    That is so for a list of commands joined by `&&` and `||`, and for a script that sets `-e` itself.
    """
    text = script.replace("\\\n", "")
    text = _ARITHMETIC.sub("Q", text)
    text = _ONE_COMMAND.sub("Q", text)
    text = _QUOTED.sub("Q", text)
    if _SETS_E.match(text):
        return True
    if _SEPARATES.search(text) or _SOURCES.search(text):
        return False
    return _WORDS.isdisjoint(re.split(r"[\s|&]+", text))


def line_breaks(script: str, rows: Sequence[str], escape: str) -> list[int]:
    """Return the offset in a script of each row of its instruction but the first; none if the rows don't make the
    script."""
    joined, ends = "", []
    for row in rows:
        if joined and (not row.strip() or row.lstrip().startswith("#")):
            continue
        text = re.sub(re.escape(escape) + r"[ \t]*$", "", row)
        joined += text
        ends.append(len(joined))
    joined = joined.rstrip()
    if not joined.endswith(script) or not script:
        return []
    start = len(joined) - len(script)
    return [end - start for end in ends[:-1] if 0 < end - start < len(script)]


def _is_posix(program: str) -> bool:
    return program.rpartition("/")[2] in _POSIX


def _with_breaks(script: str, breaks: Sequence[int]) -> str:
    """Return the script with escaped line ends at `breaks`, if a shell ignores all of them."""
    if not breaks or not _droppable(script, set(breaks)):
        return script
    out, last = "", 0
    for place in breaks:
        piece = script[last:place]
        out += piece.rstrip() + " \\\n" if piece[-1:] in (" ", "\t") else piece + "\\\n"
        last = place
    return out + script[last:]


def _droppable(script: str, breaks: set[int]) -> bool:
    """True if a shell drops an escaped line end at each place. False if in doubt."""
    quote = ""
    place, last = 0, max(breaks)
    while place <= last:
        if place in breaks and (quote == "'" or script[place - 1] == "\\"):
            return False
        if place in breaks and quote == '"' and script[place - 1] in " \t":
            return False
        char = script[place : place + 1]
        if quote != "'" and (char == "`" or script.startswith("<<", place)):
            return False
        if quote == '"' and script.startswith("$(", place):
            return False
        if not quote and char == "#" and (place == 0 or script[place - 1] in " \t;&|("):
            return False
        if char == "\\" and quote != "'":
            if place + 1 in breaks:
                return False
            place += 1
        elif char and char in "'\"":
            quote = "" if quote == char else quote or char
        place += 1
    return True


def _rows(text: str, *, escaped: bool = False) -> list[str] | None:
    """Return the rows of raw text; None if its indentation, line ends or characters would change. `escaped` text is
    raw already."""
    source = text if escaped else raw(literal(text))
    if source is None or not text or text.endswith("\\"):
        return None
    rows = source.split("\n")
    full = [row for row in rows if row]
    if not rows[0] or not rows[-1] or all(row.startswith(" ") for row in full):
        return None
    if any(not row.strip() or row.startswith("\t") for row in full) or rows[0][0] == " ":
        return None
    if any(not (char.isprintable() or char == "\t") for row in rows for char in row):
        return None
    return rows


def _is_line(rows: Sequence[str]) -> bool:
    return len(rows) == 1 and rows[0].strip() == rows[0] and not rows[0].startswith((":", "#!"))
