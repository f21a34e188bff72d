"""The value of --chmod: an octal mode, or a symbolic one as for chmod(1)."""

from __future__ import annotations

import re

from pybuild.lang.diagnostics import source_error
from pybuild.lang.source import Span

_CLAUSE = "[ugoa]*(?:[-+=][rwxXstugo]*)+"
_SYMBOLIC = re.compile(f"{_CLAUSE}(?:,{_CLAUSE})*")


def parse_mode(text: str, span: Span) -> int | str | None:
    """Parse a mode: a number for an octal one, a symbolic one unchanged, None for an empty text. Raises
    `SourceError`."""
    if not text:
        return None
    if re.fullmatch("[0-7]+", text) and int(text, 8) <= 0o7777:
        return int(text, 8)
    if _SYMBOLIC.fullmatch(text):
        return text
    if text[0].isdigit():
        problem = f"invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777"
    else:
        problem = f"invalid chmod parameter: '{text}'"
    raise source_error(
        problem, span, help="write an octal mode such as 755, or a symbolic one such as u=rwX,go=rX"
    )
