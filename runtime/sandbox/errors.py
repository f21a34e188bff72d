"""Errors of running steps.

UserError
└── SandboxError         steps can't be run here, or not as requested
    ├── NotStarted       the runtime could not start this step
    └── LimitError       a requested limit can't be enforced
"""

from __future__ import annotations

from pybuild.lang.diagnostics import UserError


class SandboxError(UserError):
    """Steps can't be run on this machine, or not as requested."""


class NotStarted(SandboxError):
    """The OCI runtime could not set up the step's container; `reason` is its own message."""

    def __init__(self, reason: str, *, help: str | None = None) -> None:
        super().__init__(f"the step could not be started: {reason}", help=help)
        self.reason = reason


class LimitError(SandboxError):
    """A limit on a step can't be enforced; it is never dropped silently."""
