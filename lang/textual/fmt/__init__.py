"""The formatter of build files: one form for each program (spec section 18).

    format_source     a file's bytes -> its text in that form

What is built of it stays the same, and no comment is lost or gets to another statement. A line whose comments stand
where the form has no place for them keeps its author's breaks.
"""

from __future__ import annotations

from pybuild.lang.diagnostics import SourceErrors
from pybuild.lang.textual.fmt.file import formatted
from pybuild.lang.textual.parse import decode, parse

__all__ = ["format_source"]


def format_source(name: str, data: bytes) -> str:
    """Raises SourceError if it is no file of the language or has mistakes of syntax."""
    parsed = parse(decode(name, data))
    errors = [one for one in parsed.diagnostics if one.level == "error"]
    if errors:
        raise SourceErrors(errors)
    return formatted(parsed.file)
