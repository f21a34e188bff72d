"""First words of lines in other languages, with the form that this language has for them."""

from __future__ import annotations

import re

from pybuild.lang.textual.tokens import BODY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

LONGEST: Final = 60
"""The most characters of a line that a message repeats."""

_NO_COMMAND: Final = re.compile(r"[:{]$|^\w+\s*[-+*/%|&]=")
"""Lines that are no shell command."""

_DEF: Final = "write `def NAME(PARAMETERS):`"
_USE: Final = 'other files are modules: `use NAME`, or `use "./FILE.pybuild" as NAME`'
_TARGET: Final = "write `target NAME:`"
_LET: Final = "write `let NAME = VALUE`"
_PARAM: Final = 'what the command line may set stands at the top of the file: `param NAME: str = "VALUE"`'

MEANT: Final[Mapping[str, str]] = {
    "add": 'write `copy`; what to copy may be `from http("URL")` or `from git("URL")`',
    "arg": _PARAM,
    "assert": 'write `check CONDITION, "MESSAGE"`',
    "build": "what has to succeed first is named by `needs TARGET`",
    "const": _LET,
    "do": "a step is called by its name: `NAME()`",
    "export": 'write `env NAME = "VALUE"`',
    "fn": _DEF,
    "func": _DEF,
    "function": _DEF,
    "import": _USE,
    "include": _USE,
    "job": _TARGET,
    "load": _USE,
    "local": _LET,
    "locally": "nothing runs on the building machine itself; `run` runs in the image",
    "maintainer": 'write `label "org.opencontainers.image.authors" = "NAME"`',
    "onbuild": "what others are to run is a step: `def NAME():`",
    "pass": "leave it out",
    "save": 'write `output "PATH" to "PATH"` for files, `tag "NAME"` for an image',
    "set": _LET,
    "stage": _TARGET,
    "stopsignal": 'write `stop_signal "NAME"`',
    "task": _TARGET,
    "try": "what may fail is said in the script: `run COMMAND || true`",
    "var": _LET,
    "variable": _PARAM,
    "while": "loops go over lists: `for NAME in LIST:`",
}
"""Advice by the first word, in small letters."""


def in_body(word: str, row: str) -> str:
    """Return advice for a line of a body that starts with no statement. `row` is the line; "" if there is no
    advice."""
    advice = MEANT.get(word.lower(), "")
    if advice or word.lower() in BODY or len(row) > LONGEST or _NO_COMMAND.search(row):
        return advice
    return f"a command of the shell stands behind `run`: `run {row}`"


def at_top(word: str, row: str) -> str:
    """Return advice for a line of the top level that starts with no declaration, "" if there is none."""
    if word.lower() in BODY:
        return (
            f"`{word.lower()}` stands in the body of a target: `target NAME:`, and its lines below, indented"
        )
    if row == f"{word}:":
        return f"write `target {row}`"
    if word.lower() in MEANT:
        return MEANT[word.lower()]
    return f"write `let {row}`" if row[len(word) :].lstrip()[:1] == "=" and len(row) <= LONGEST else ""
