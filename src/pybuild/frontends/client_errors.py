"""Errors of a Dockerfile as BuildKit's clients know them: in BuildKit's words, and about whole lines."""

from __future__ import annotations

from collections.abc import Iterator

from pybuild.lang.diagnostics import Diagnostic, Label, SourceError, SourceErrors, UserError
from pybuild.lang.source import Span


def for_clients(error: UserError) -> UserError:
    """Return the error with the message that clients compare, and a place for each line that it is about. Of
    several errors it is the first."""
    found = next((one for one in error.messages if one.level == "error"), error.diagnostic)
    told = Diagnostic(
        found.buildkit or found.title, labels=list(_lines(found)), notes=found.notes, code=found.code
    )
    if isinstance(error, SourceErrors):
        return SourceError(told)
    error.args = (told.title,)
    error.diagnostic = told
    return error


def with_places(error: UserError) -> None:
    """Point the error at whole lines, also in the status of an error that came by the wire without a
    place."""
    from google.rpc.status_pb2 import Status

    from pybuild.compiler.protos import errdefs_pb2
    from pybuild.runtime.bridge.details import packed, sources, unpacked
    from pybuild.runtime.bridge.statuses import ReceivedError

    found = error.diagnostic
    error.diagnostic = found.with_labels(list(_lines(found)))
    if isinstance(error, ReceivedError):
        status = Status.FromString(error.status)
        if not any(isinstance(unpacked(one), errdefs_pb2.Source) for one in status.details):
            spans = [label.span for label in error.diagnostic.labels]
            status.details.extend(packed(one) for one in sources(spans))
            error.status = status.SerializeToString(deterministic=True)


def _lines(diagnostic: Diagnostic) -> Iterator[Label]:
    for number, label in enumerate(one for one in diagnostic.labels if one.primary):
        span = label.span
        known = diagnostic.lines if number == 0 else None
        first, last = known or (span.line, span.end_line)
        for line in range(first, last + 1):
            yield Label(Span(span.source, line, 1, line, 1), label.text)
