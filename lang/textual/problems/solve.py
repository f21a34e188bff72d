"""Messages about the solve of a graph: R00xx, E0903."""

from __future__ import annotations

from pybuild.lang.diagnostics import Diagnostic, Label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.lang.diagnostics import UserError
    from pybuild.lang.source import Span

SHOWN_LINES = 10
"""The lines of a failed run's output that a message shows."""


def run_failed(
    span: Span | None,
    exit_code: int,
    *,
    where: str,
    seconds: float,
    lines: Sequence[str],
    total: int,
    advice: str,
    limit: str = "",
    statement: str = "run",
) -> Diagnostic:
    """R0001: a failed run.

    `where` is the target, with its platform if that isn't the builder's; `lines` are the last of `total` lines of
    output; `limit` is the limit that ended the run; `statement` is the statement's word."""
    label = f"in {where}, after {seconds:.1f}s" if where else f"after {seconds:.1f}s"
    title = f"`{statement}` failed with exit code {exit_code}"
    if limit:
        title = f"`{statement}` was ended by its limit of {limit}"
    shown = list(lines[-SHOWN_LINES:])
    notes = []
    if shown:
        count = f"{total} line" + "s" * (total != 1)
        if total > len(shown):
            count = f"last {len(shown)} of {total} lines"
        notes.append((f"output ({count})", "".join(f"\n  {line}" for line in shown)))
    return Diagnostic(
        title,
        code="R0001",
        labels=[Label(span, label)] if span is not None else [],
        notes=[*notes, ("help", advice)],
    )


def source_failed(error: UserError, span: Span | None, code: str = "R0002") -> Diagnostic:
    """R0002, R0003, R0004, R0005, E0903: an error of the runtime, at the place of the source."""
    diagnostic = error.diagnostic
    labels = diagnostic.labels or ([Label(span, "asked for here")] if span is not None else [])
    return Diagnostic(diagnostic.title, code=code, labels=labels, notes=diagnostic.notes, url=diagnostic.url)
