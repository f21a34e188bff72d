"""Solve failures as diagnostics of the language: R00xx, at the statement that failed (language spec, section
17). `runtime/codes.py` says which code an error has."""

from __future__ import annotations

import re

from pybuild.compiler.descriptions import BODY
from pybuild.lang.textual.problems.lock import differs
from pybuild.lang.textual.problems.solve import run_failed, source_failed
from pybuild.runtime.codes import solve_code
from pybuild.runtime.ops.failures import StepFailed
from pybuild.runtime.sources.errors import SourceMismatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.diagnostics import Diagnostic, UserError
    from pybuild.lang.source import Span

_FILE = re.compile(r"\.py(build)?(@\S+)?$")
"""File names of the language and of Python; those of other repositories end with their version."""

_RUNS = ("run", "exec", "call")


def explained(error: UserError) -> Diagnostic | None:
    """Return the diagnostic of the language for a build failure. None for a failure at no statement of the
    language, and for a diagnostic that has a code already, except one in a build module."""
    diagnostic = error.diagnostic
    if diagnostic.code and diagnostic.span is not None and diagnostic.span.source.name.endswith(".py"):
        from pybuild.lang.python.wording import in_python

        return in_python(diagnostic)
    code = solve_code(error)
    if (
        not code
        or diagnostic.code
        or diagnostic.span is None
        or not _FILE.search(diagnostic.span.source.name)
    ):
        return None
    if isinstance(error, SourceMismatch) and error.locked:
        return differs(error.locked, str(error), diagnostic.span)
    if not isinstance(error, StepFailed):
        return source_failed(error, diagnostic.span, code)
    body = error.vertex.metadata.description.get(BODY, "")
    advice = next((text for word, text in error.diagnostic.notes if word == "help"), "")
    return run_failed(
        diagnostic.span,
        error.code,
        where=f"`{body}`" if body else "",
        seconds=error.seconds,
        lines=error.output,
        total=error.lines,
        advice=advice,
        limit=error.limit,
        statement=_statement(diagnostic.span),
    )


def _statement(span: Span) -> str:
    """Return the keyword of the statement at a place of a build file, `run` if it is unknown."""
    text = span.source.line(span.line)[span.column - 1 :]
    return next((word for word in _RUNS if text.startswith(word)), "run")
