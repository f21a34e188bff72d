"""Text for a terminal, without control sequences of a program's own."""

from __future__ import annotations

import re

_SEQUENCE = re.compile(
    r"""
    \x1b \[ [0-?]* [ -/]* [@-~]             # CSI: colours, cursor movement
  | \x1b [PX^_\]] .*? (?: \x1b\\ | \x07 )   # strings: window titles, links
  | \x1b [ -/]* [0-~]                       # the two-character ones
    """,
    re.VERBOSE | re.DOTALL,
)
_CONTROLS = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if code not in (0x09, 0x0A)}
_CONTROLS.update(dict.fromkeys((*range(8234, 8239), *range(8294, 8298))))


def printable(text: str) -> str:
    """Return `text` without escape sequences, control characters and overrides of writing direction; tabs and
    line ends stay. The output of a program then can't move the cursor, set the title or hide other text."""
    if "\x1b" in text:
        text = _SEQUENCE.sub("", text)
    return text.translate(_CONTROLS)


def last_state(line: str) -> str:
    """Return what a terminal shows of a line that a program overwrote with carriage returns."""
    if "\r" not in line:
        return line
    parts = [part for part in line.split("\r") if part]
    return parts[-1] if parts else ""
