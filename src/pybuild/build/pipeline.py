"""A build, from a request to exported images.

context  = find_context(request)          the build file, its ignore file and its context, as far as they are here
frontend = choose(context)                reads the build file: its mistakes are reported before anything is opened
gateway  = open_gateway(frontend)         the engine, in the build's namespaces, and what a frontend may ask of it
solution = frontend.solve(gateway)        goals: states that nobody has solved yet, image configs
plan     = plan_of(solution)              the goals, and what they depend on
result   = execute(plan, engine)          snapshots, cached and parallel; images, archives and files
"""

from __future__ import annotations

from contextlib import contextmanager

from pybuild.build.engine import open_gateway
from pybuild.build.execute import BuildResult, execute, requested_outputs
from pybuild.build.plan import plan_of
from pybuild.frontends.build_context import find_context
from pybuild.frontends.choose import choose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pybuild.build.plan import Plan
    from pybuild.frontends.build_context import BuildContext
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
        yield plan_of(solution, context.dependencies, gateway.engine), gateway.engine


def warner(observer: Observer) -> Callable[[Diagnostic], None]:
    """Return a function that shows a warning about no vertex."""
    return lambda warning: observer.warning("", warning)
