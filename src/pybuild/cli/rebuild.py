"""Rebuild from a recorded plan: the command means the same as before, but files of the context changed."""

from __future__ import annotations

import sys

from pybuild.build import errors
from pybuild.build.engine import open_engine
from pybuild.build.execute import BuildResult, execute, requested_outputs
from pybuild.build.plan import Plan
from pybuild.build.process import forget
from pybuild.cli.run_build import run_build
from pybuild.frontends.types import GraphNames
from pybuild.lang.diagnostics import UserError
from pybuild.request.request import BuildRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.solver.types import Cancellation


def rebuild(record: Mapping[str, Any]) -> int | None:
    """Build a record's plan and return the exit code; None for a record whose plan can't be read."""
    try:
        request = BuildRequest(**record["request"])
        plan = Plan.from_plain(record["plan"])
    except (KeyError, TypeError, ValueError, AttributeError, UserError):
        return None

    def build(request: BuildRequest, observer: Observer, cancellation: Cancellation) -> BuildResult:
        names = GraphNames(plan.directories, plan.images, plan.owner)
        with open_engine(request, names, observer, cancellation) as engine:
            for text in request.notices:
                observer.notice(text)
            observer.start()
            return execute(plan, request, requested_outputs(request), engine)

    try:
        return run_build(request, build, warned=record["warnings"])
    except (UserError, OSError, KeyboardInterrupt) as error:
        return errors.report(error, sys.stderr)
    finally:
        forget(sys.stderr)
