"""Builds from programs and notebooks, without the command line. Names are imported at their first use: a worker
needs few of them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.builder.builder import Buildable, Builder
    from pybuild.builder.errors import InternalError, WorkerDied
    from pybuild.builder.graph import Graph
    from pybuild.builder.images import Image, Platform
    from pybuild.builder.options import BuildOptions
    from pybuild.builder.record import Record, Step
    from pybuild.builder.result import Completed, Entry, Result
    from pybuild.builder.states import StateGone
    from pybuild.lang.diagnostics import Cancelled, SourceErrors, UsageError, UserError
    from pybuild.runtime.ops.failures import StepFailed
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.solver.types import Cancellation

__all__ = [
    "BuildOptions",
    "Buildable",
    "Builder",
    "Cancellation",
    "Cancelled",
    "Completed",
    "Entry",
    "Graph",
    "Image",
    "InternalError",
    "Observer",
    "Platform",
    "Record",
    "Result",
    "SourceErrors",
    "StateGone",
    "Step",
    "StepFailed",
    "UsageError",
    "UserError",
    "WorkerDied",
]

_MODULES = {
    "builder.builder": ("Buildable", "Builder"),
    "builder.errors": ("InternalError", "WorkerDied"),
    "builder.graph": ("Graph",),
    "builder.images": ("Image", "Platform"),
    "builder.options": ("BuildOptions",),
    "builder.record": ("Record", "Step"),
    "builder.result": ("Completed", "Entry", "Result"),
    "builder.states": ("StateGone",),
    "lang.diagnostics": ("Cancelled", "SourceErrors", "UsageError", "UserError"),
    "runtime.ops.failures": ("StepFailed",),
    "runtime.progress.observer": ("Observer",),
    "runtime.solver.types": ("Cancellation",),
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"pybuild.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
