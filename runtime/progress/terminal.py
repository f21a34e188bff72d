"""Text for a terminal, without control sequences of a program's own.

Text from elsewhere (names of vertices, files and images, answers of servers, errors) is written as `visible` of
`lang.diagnostics` shows it, on any stream: it is quoted, not obeyed. The output of a step is passed on to a plain
stream, and to a terminal as far as it is `harmless`.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

_SEQUENCE = re.compile(
    r"""
    \x1b \[ [0-?]* [ -/]* [@-~]             # CSI: colours, cursor movement
  | \x1b [PX^_\]] .*? (?: \x1b\\ | \x07 )   # strings: window titles, links
  | \x1b [ -/]* [0-~]                       # the two-character ones
    """,
    re.VERBOSE | re.DOTALL,
)
_COLOUR = re.compile(r"(\x1b\[[0-9;:]*m)")
_CONTROLS = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if code not in (0x09, 0x0A)}
_CONTROLS.update(dict.fromkeys((*range(8234, 8239), *range(8294, 8298))))


def printable(text: str) -> str:
    """Return `text` without escape sequences, control characters and overrides of writing direction; tabs and
    line ends stay. The output of a program then can't move the cursor, set the title or hide other text."""
    if "\x1b" in text:
        text = _SEQUENCE.sub("", text)
    return text.translate(_CONTROLS)


def harmless(text: str) -> str:
    """Return `text` as `printable` does, but with its colours, which end with each line."""
    if "\x1b" not in text:
        return printable(text)
    return "\n".join(map(_coloured, text.split("\n")))


def _coloured(line: str) -> str:
    parts = _COLOUR.split(line)
    shown = "".join(part if number % 2 else printable(part) for number, part in enumerate(parts))
    return shown + "\x1b[0m" if len(parts) > 1 else shown


def obeys(stream: TextIO) -> bool:
    """Return whether control sequences on `stream` reach a terminal."""
    try:
        return stream.isatty()
    except ValueError:
        return False


def last_state(line: str) -> str:
    """Return what a terminal shows of a line that a program overwrote with carriage returns."""
    if "\r" not in line:
        return line
    parts = [part for part in line.split("\r") if part]
    return parts[-1] if parts else ""
