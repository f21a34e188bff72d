"""Messages about pins: E0802, E0803."""

from __future__ import annotations

from pybuild.lang.diagnostics import Diagnostic, Label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.source import Span


def not_locked(key: str, span: Span | None) -> Diagnostic:
    """E0802: a reference that the lock file lacks, under `--locked`."""
    return Diagnostic(
        f"`{key}` is not in pybuild.lock",
        code="E0802",
        labels=[Label(span, "needs an entry under `--locked`")] if span is not None else [],
        notes=[("help", "run `pybuild lock` and commit pybuild.lock")],
    )


def differs(key: str, said: str, span: Span | None) -> Diagnostic:
    """E0803: a reference whose content differs from the lock file; `said` describes the difference."""
    return Diagnostic(
        f"`{key}` differs from pybuild.lock",
        code="E0803",
        labels=[Label(span, "has another content than when it was locked")] if span is not None else [],
        notes=[
            ("note", said),
            ("help", f"if the change is meant, run `pybuild lock --update '{key}'`"),
        ],
    )
