"""The formatter of build files: one form for each program (language spec, section 18).

    format_source     a file's bytes -> its formatted text

The build of the file stays the same, and no comment is lost or moves to another statement. A line with comments
where the format has no place for them keeps its author's line breaks.
"""

from __future__ import annotations

from pybuild.lang.diagnostics import SourceErrors
from pybuild.lang.textual.fmt.file import formatted
from pybuild.lang.textual.parse import decode, parse

__all__ = ["format_source"]


def format_source(name: str, data: bytes) -> str:
    """Return the formatted text of a file. Raises SourceError for bytes that aren't a file of the language, and
    SourceErrors for syntax errors."""
    parsed = parse(decode(name, data))
    errors = [diagnostic for diagnostic in parsed.diagnostics if diagnostic.level == "error"]
    if errors:
        raise SourceErrors(errors)
    return formatted(parsed.file)
