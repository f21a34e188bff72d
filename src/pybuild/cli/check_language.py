"""The check of a `.pybuild` file: its static checks, then an expansion of all targets whose params are
set."""

from __future__ import annotations

from functools import partial

from pybuild.build.engine import with_modules
from pybuild.lang.diagnostics import SourceErrors, UserError
from pybuild.lang.textual.arrange import arranged
from pybuild.lang.textual.expand.options import EVERYTHING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.diagnostics import Diagnostic, Edit
    from pybuild.lang.source import Source
    from pybuild.language.compiled import Compiled
    from pybuild.request.request import BuildRequest

# A fix may uncover another finding. The bound is for fixes that undo each other.
_MOST_ROUNDS = 10


class CheckedFile:
    """A checked file: `name`, its text as bytes (changed by fixes), the remaining diagnostics and the fixed
    ones. `caution` is a limit of the checks for such a file, "" for none."""

    __slots__ = ("caution", "data", "fixed", "found", "name")

    def __init__(self, name: str, data: bytes, caution: str = "") -> None:
        self.name = name
        self.data = data
        self.caution = caution
        self.found: list[Diagnostic] = []
        self.fixed: list[Diagnostic] = []


def check_file(compiled: Compiled, request: BuildRequest, *, fix: bool = False) -> CheckedFile:
    """Check a build file. With `fix`, edits of messages about this file are applied to its bytes until none
    is left; nothing is written. Raises UserError for a file that is not text."""
    checked = CheckedFile(compiled.name, compiled.data, compiled.caution)
    checked.found = with_modules(compiled, request, lambda: _diagnostics(compiled, request))
    for _ in range(_MOST_ROUNDS if fix else 0):
        text, applied = _apply_edits(checked.data.decode("utf-8"), checked.name, checked.found)
        if not applied:
            break
        checked.data = text.encode("utf-8")
        checked.fixed += applied
        again = compiled.of_text(checked.data)
        checked.found = with_modules(again, request, partial(_diagnostics, again, request))
    return checked


def _diagnostics(compiled: Compiled, request: BuildRequest) -> list[Diagnostic]:
    program, diagnostics = compiled.findings()
    if program is None or any(diagnostic.level == "error" for diagnostic in diagnostics):
        return diagnostics
    try:
        recipe = compiled.recipe(program, wanted=request.targets or EVERYTHING)
    except SourceErrors as error:
        return arranged([*diagnostics, *error.diagnostics])
    except UserError as error:
        if not error.diagnostic.labels:
            raise
        return arranged([*diagnostics, error.diagnostic])
    return arranged([*diagnostics, *recipe.warnings])


def _apply_edits(text: str, name: str, diagnostics: list[Diagnostic]) -> tuple[str, list[Diagnostic]]:
    """Apply the edits of as many messages as don't overlap. Return the text and those messages."""
    edits_taken: list[tuple[int, int, str]] = []
    applied = []
    for diagnostic in diagnostics:
        edits = [_offsets(edit) for edit in diagnostic.edits if edit.span.source.name == name]
        if len(edits) < len(diagnostic.edits) or not edits:
            continue
        if any(
            (start < other_end and other_start < end) or start == other_start
            for start, end, _ in edits
            for other_start, other_end, _ in edits_taken
        ):
            continue
        edits_taken += edits
        applied.append(diagnostic)
    for start, end, new in sorted(edits_taken, reverse=True):
        text = text[:start] + new + text[end:]
    return text, applied


def _offsets(edit: Edit) -> tuple[int, int, str]:
    span = edit.span
    return (
        _offset(span.source, span.line, span.column),
        _offset(span.source, span.end_line, span.end_column),
        edit.text,
    )


def _offset(source: Source, line: int, column: int) -> int:
    lines = source.text.split("\n")
    return sum(len(text) + 1 for text in lines[: line - 1]) + column - 1
