"""Places of a frontend's errors for the user: in the build file that names the frontend."""

from __future__ import annotations

from pybuild.frontends.attributes import ARG, SYNTAX
from pybuild.lang.diagnostics import Label, SourceErrors, UserError
from pybuild.lang.source import Source, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.frontends import Syntax


def place_error(error: UserError, syntax: Syntax | None, source: Source, command_line: str) -> None:
    """Add a place to an error that has none: the `syntax` line that names the frontend, or a note about
    another choice of it. A place in the build file gets the file's name from `source`."""
    if isinstance(error, SourceErrors):
        error.diagnostics = tuple(_of(one, source) for one in error.diagnostics)
    found = error.diagnostic
    if found.labels:
        found = _of(found, source)
    elif syntax is not None:
        found = found.with_labels([Label(syntax.span(source), "asked for here")])
    else:
        found = found.with_note("note", f"failed with {ARG}{SYNTAX} = {command_line}")
    error.diagnostic = found


def _of(diagnostic: Diagnostic, source: Source) -> Diagnostic:
    return diagnostic.with_labels([_label(one, source) for one in diagnostic.labels])


def _label(label: Label, source: Source) -> Label:
    span = label.span
    if span.source.text != source.text:
        return label
    own = Span(source, span.line, span.column, span.end_line, span.end_column)
    return Label(own, label.text, primary=label.primary)
