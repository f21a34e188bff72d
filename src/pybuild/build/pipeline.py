"""A build, from a request to exported images.

context  = find_context(request)          the build file, its ignore file and its context, as far as they are here
frontend = choose(context)                reads the build file: its mistakes are reported before anything is opened
gateway  = open_gateway(frontend)         the engine, in the build's namespaces, and what a frontend may ask of it
solution = frontend.solve(gateway)        results: states that nobody has solved yet, image configs
plan     = plan_of(solution)              goals, and what they depend on
result   = execute(plan, engine)          snapshots, cached and parallel; images, archives and files
"""

from __future__ import annotations

import os
from contextlib import contextmanager

from pybuild.build.engine import open_gateway
from pybuild.build.execute import BuildResult, execute
from pybuild.build.outputs import requested_outputs
from pybuild.build.plan import plan_of
from pybuild.frontends.build_context import BuildContext
from pybuild.frontends.choose import choose
from pybuild.frontends.found_inputs import STDIN, default_name, find_inputs
from pybuild.replay.dependencies import Dependencies
from pybuild.runtime.progress.observer import Tracked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pybuild.build.plan import Plan
    from pybuild.frontends.types import Frontend
    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.request.request import BuildRequest
    from pybuild.runtime.engine import Engine
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.solver.types import Cancellation


def build(request: BuildRequest, observer: Observer, cancellation: Cancellation) -> BuildResult:
    """Build and export. Must run in the main thread before another exists: it enters the build's namespaces.

    Raises UserError, Cancelled.
    """
    outputs = requested_outputs(request)  # first, so that their mistakes are reported before anything is read
    context = find_context(request, observer)
    frontend = choose(context, warner(observer))
    with planned(frontend, context, observer, cancellation) as (plan, engine):
        return execute(plan, request, outputs, engine)


@contextmanager
def planned(
    frontend: Frontend, context: BuildContext, observer: Observer, cancellation: Cancellation
) -> Iterator[tuple[Plan, Engine]]:
    """Call a frontend; within, its plan can be executed on the engine that is open. Raises UserError, Cancelled."""
    with open_gateway(frontend, context.request, observer, cancellation) as gateway:
        observer.start()
        solution = frontend.solve(gateway)
        yield plan_of(solution, frontend.owner, context.dependencies, gateway.engine), gateway.engine


def find_context(request: BuildRequest, observer: Observer) -> BuildContext:
    """Find and read the files that a request names, and note the state of those that decide what it means. Raises
    UsageError."""
    from pybuild.build.evidence import named_files

    for text in request.notices:
        observer.notice(text)
    dependencies = Dependencies()
    for path in (*request.consulted, *(named_files(request) or ())):
        dependencies.note(path)
    dependencies.variables += [name for name, value in request.build_args if value is None]
    name = request.file if request.file not in (None, STDIN) else default_name(request.context)
    with Tracked(observer, f"[internal] load build definition from {os.path.basename(name or '')}"):
        inputs = find_inputs(request.context, request.file, dependencies)
    return BuildContext(request, inputs, dependencies)


def warner(observer: Observer) -> Callable[[Diagnostic], None]:
    """Return a function that shows a warning about no vertex."""
    return lambda warning: observer.warning("", warning)
