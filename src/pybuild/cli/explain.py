"""The command `pybuild explain CODE`: the page about a message."""

from __future__ import annotations

import os
import re

from pybuild.lang.diagnostics import UsageError, suggest
from pybuild.lang.textual.codes import CODES

CODE = re.compile(r"[EWR]\d{4}")
INDEX = "https://pybuildkit.readthedocs.io/en/stable/language/diagnostics/"
"""The list of all codes in the documentation."""


def page(word: str) -> str:
    """Return the page of a code, as Markdown. Raises UsageError."""
    code = word.upper()
    if not CODE.fullmatch(code):
        raise UsageError(
            f"explaining a step ({word}) is not supported by this version of pybuild",
            help="give the code of a message, such as E0503",
        )
    if code not in CODES:
        near = suggest(code, CODES)
        raise UsageError(
            f"there is no message {code}",
            help=f"did you mean {near}?" if near else f"their list is at {INDEX}",
        )
    with open(os.path.join(directory(), f"{code}.md"), encoding="utf-8") as file:
        return file.read()


def directory() -> str:
    """Return the directory of the pages."""
    import pybuild.lang.textual

    return os.path.join(pybuild.lang.textual.__path__[0], "pages")


def address(code: str) -> str:
    """Return the address of a code in the documentation."""
    return f"{INDEX}#{code.lower()}"
