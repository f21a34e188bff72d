"""Places of a frontend's errors: in the build file that names the frontend, for the user; whole lines and BuildKit's
words, for its clients."""

from __future__ import annotations

from collections.abc import Iterator

from pybuild.frontends.attributes import ARG, SYNTAX
from pybuild.lang.diagnostics import Diagnostic, Label, SourceError, SourceErrors, UserError
from pybuild.lang.source import Source, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.frontends import Syntax


def place_error(error: UserError, syntax: Syntax | None, source: Source, command_line: str) -> None:
    """Add a place to an error that has none: the `syntax` line that names the frontend, or a note about
    another choice of it. A place in the build file gets the file's name from `source`."""
    if isinstance(error, SourceErrors):
        error.diagnostics = tuple(_named(diagnostic, source) for diagnostic in error.diagnostics)
    diagnostic = error.diagnostic
    if diagnostic.labels:
        error.diagnostic = _named(diagnostic, source)
    elif syntax is not None:
        error.diagnostic = diagnostic.with_labels([Label(syntax.span(source), "asked for here")])
    else:
        error.diagnostic = diagnostic.with_note("note", f"failed with {ARG}{SYNTAX} = {command_line}")


def _named(diagnostic: Diagnostic, source: Source) -> Diagnostic:
    """Return the diagnostic with places in `source` itself, not in a copy of its text with another name."""
    return diagnostic.with_labels([_label(label, source) for label in diagnostic.labels])


def _label(label: Label, source: Source) -> Label:
    span = label.span
    if span.source.text != source.text:
        return label
    own = Span(source, span.line, span.column, span.end_line, span.end_column)
    return Label(own, label.text, primary=label.primary)


def for_clients(error: UserError) -> UserError:
    """Return the error with the message that clients compare, and a place for each line that it is about. Of
    several errors it is the first."""
    first = next((message for message in error.messages if message.level == "error"), error.diagnostic)
    title = first.buildkit or first.title
    diagnostic = Diagnostic(title, labels=list(_lines(first)), notes=first.notes, code=first.code)
    if isinstance(error, SourceErrors):
        return SourceError(diagnostic)
    error.args = (title,)
    error.diagnostic = diagnostic
    return error


def with_places(error: UserError) -> None:
    """Point the error at whole lines, also in the status of an error that came by the wire without a
    place."""
    from google.rpc.status_pb2 import Status

    from pybuild.compiler.protos import errdefs_pb2
    from pybuild.runtime.bridge.details import packed, sources, unpacked
    from pybuild.runtime.bridge.statuses import ReceivedError

    error.diagnostic = error.diagnostic.with_labels(list(_lines(error.diagnostic)))
    if isinstance(error, ReceivedError):
        status = Status.FromString(error.status)
        if not any(isinstance(unpacked(detail), errdefs_pb2.Source) for detail in status.details):
            spans = [label.span for label in error.diagnostic.labels]
            status.details.extend(map(packed, sources(spans)))
            error.status = status.SerializeToString(deterministic=True)


def _lines(diagnostic: Diagnostic) -> Iterator[Label]:
    for number, label in enumerate(label for label in diagnostic.labels if label.primary):
        span = label.span
        known = diagnostic.lines if number == 0 else None
        first, last = known or (span.line, span.end_line)
        for line in range(first, last + 1):
            yield Label(Span(span.source, line, 1, line, 1), label.text)
