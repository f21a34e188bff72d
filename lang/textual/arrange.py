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
    for diagnostic in diagnostics:
        span = diagnostic.span
        place = (-1, 0, 0) if span is None else (_number(files, span.source.name), span.line, span.column)
        once.setdefault((*place, diagnostic.code or "", diagnostic.title), diagnostic)
    ordered = [once[key] for key in sorted(once)]
    errors = [at for at, diagnostic in enumerate(ordered) if diagnostic.level == "error"]
    excess = len(errors) - MOST_ERRORS
    if excess <= 0:
        return ordered
    dropped = set(errors[MOST_ERRORS:])
    last = errors[MOST_ERRORS - 1]
    note = "1 more error is not shown" if excess == 1 else f"{excess} more errors are not shown"
    ordered[last] = ordered[last].with_note("note", note)
    return [diagnostic for at, diagnostic in enumerate(ordered) if at not in dropped]


def _number(files: dict[str, int], name: str) -> int:
    return files.setdefault(name, len(files))
