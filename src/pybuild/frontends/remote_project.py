"""Remote build files of the language, in a repository or an archive: their context is fetched into a
directory of the build.

Files written into it (the lock file, outputs) would be removed with the build, so outputs are refused.
"""

from __future__ import annotations

import os

from attrs import evolve

from pybuild.frontends.build_context import CONTEXT
from pybuild.lang.diagnostics import SourceErrors, UsageError, source_error
from pybuild.lang.frontends import PYTHON
from pybuild.request.trust import PYTHON as PYTHON_ALLOWED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.frontends.build_context import BuildContext
    from pybuild.lang.recipe import Recipe
    from pybuild.request.request import BuildRequest
    from pybuild.runtime.bridge.gateway import Gateway


def check_allowed(context: BuildContext) -> None:
    """Raises UsageError for a build module that may not run, and for a build file outside of its context."""
    if context.inputs.url is not None or context.inputs.data is not None:
        raise UsageError(
            "a build file of another place is read from the context", help="name it as it lies there: -f FILE"
        )
    _check_module(context, context.inputs.name)


def _check_module(context: BuildContext, name: str) -> None:
    """Raises UsageError for a build module that may not run; `name` is its name in the context."""
    request = context.request
    if context.frontend.kind == PYTHON and PYTHON_ALLOWED not in request.allow:
        raise UsageError(
            f"{name} of {request.context} is a Python module, which would run on this machine",
            help="read it first; --allow python lets it run",
        )


def fetch_project(context: BuildContext, gateway: Gateway) -> tuple[BuildContext, str]:
    """Fetch the context into a directory that is removed with the engine. Return the context with its build file
    there, and the file's name in messages. Raises UserError."""
    from pybuild.frontends.remote_context import fetch
    from pybuild.runtime.export.paths import export_paths

    engine = gateway.engine
    context.provide(engine)
    inputs = fetch(context.inputs, {}, gateway.bridge)
    assert inputs.edge is not None
    (result,) = engine.solve([inputs.edge])
    if inputs.archive is not None:
        engine.client.withdraw(CONTEXT)
    directory = os.path.join(engine.store.work, "context")
    tree = engine.snapshotter.tree(engine.snapshot(result))
    export_paths(tree, ["/."], directory, clean=False, root=engine.store.work)
    path = os.path.join(directory, inputs.name)
    fetched = context.with_inputs(evolve(inputs, directory=directory, name=path))
    # A syntax line may say that the file is a module, whatever its name says.
    _check_module(fetched, inputs.name)
    return fetched, inputs.name


def check_outputs(recipe: Recipe, request: BuildRequest) -> None:
    """Raises SourceErrors if files are to be taken out."""
    problems = [
        source_error(
            f"`output` has no project to write into: the context is {request.context}",
            output.span,
            help="build the result of a target with -o DIRECTORY, or fetch the context first",
        ).diagnostic
        for goal in recipe.requested
        for instance in goal.instances
        for output in instance.outputs
        if output.span is not None
    ]
    if problems:
        raise SourceErrors(problems)
