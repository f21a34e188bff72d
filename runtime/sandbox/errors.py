"""Errors of running steps.

UserError
└── SandboxError         steps can't be run here, or not as requested
    ├── StepsImpossible  a step has to run where none can
    ├── NotStarted       the runtime could not start this step
    └── LimitError       a requested limit can't be enforced
"""

from __future__ import annotations

from pybuild.lang.diagnostics import Diagnostic, UserError


class SandboxError(UserError):
    """Steps can't be run on this machine, or not as requested."""


class StepsImpossible(SandboxError):
    """A step has to run where none can; `reason` is the error that says why."""

    def __init__(self, reason: SandboxError) -> None:
        title = f"this step can't be run: {reason.diagnostic.title}"
        super().__init__(Diagnostic(title, notes=reason.diagnostic.notes))
        self.reason = reason


def no_namespaces_asked(variable: str) -> SandboxError:
    """Return the reason if the snapshotter that needs no namespaces was asked for."""
    return SandboxError(
        f"{variable}=index builds without the namespaces that steps run in", help=f"unset {variable}"
    )


class NotStarted(SandboxError):
    """The OCI runtime could not set up the step's container; `reason` is its own message."""

    def __init__(self, reason: str, *, help: str | None = None) -> None:
        super().__init__(f"the step could not be started: {reason}", help=help)
        self.reason = reason


class LimitError(SandboxError):
    """A limit on a step can't be enforced; it is never dropped silently."""
