"""The order of the messages about a program, and their number."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

    from pybuild.lang.diagnostics import Diagnostic

MOST_ERRORS: Final = 20


def arranged(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Return the messages sorted by place, each once, with at most 20 errors.

    Files are in the order of their first message; messages without a place come first. The last error shown has a
    note with the number of the dropped ones."""
    files: dict[str, int] = {}
    once: dict[tuple[int, int, int, str, str], Diagnostic] = {}
    for one in diagnostics:
        span = one.span
        place = (-1, 0, 0) if span is None else (_number(files, span.source.name), span.line, span.column)
        once.setdefault((*place, one.code or "", one.title), one)
    ordered = [once[key] for key in sorted(once)]
    errors = [at for at, one in enumerate(ordered) if one.level == "error"]
    more = len(errors) - MOST_ERRORS
    if more <= 0:
        return ordered
    dropped = set(errors[MOST_ERRORS:])
    last = errors[MOST_ERRORS - 1]
    said = "1 more error is not shown" if more == 1 else f"{more} more errors are not shown"
    ordered[last] = ordered[last].with_note("note", said)
    return [one for at, one in enumerate(ordered) if at not in dropped]


def _number(files: dict[str, int], name: str) -> int:
    return files.setdefault(name, len(files))
