"""Remote build files of the language, in a repository or an archive: their context is fetched into a
directory of the build.

Files written into it (the lock file, outputs) would be removed with the build, so outputs are refused.
"""

from __future__ import annotations

import os

from pybuild.compiler.remote import FILE
from pybuild.frontends.build_context import CONTEXT
from pybuild.frontends.found_inputs import frontend_of
from pybuild.lang.diagnostics import SourceErrors, UsageError, source_error
from pybuild.lang.frontends import PYTHON
from pybuild.request.trust import PYTHON as PYTHON_ALLOWED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.frontends.found_inputs import FoundInputs
    from pybuild.lang.recipe import Recipe
    from pybuild.request.request import BuildRequest
    from pybuild.runtime.bridge.gateway import Gateway
    from pybuild.runtime.engine import Engine


def check_allowed(inputs: FoundInputs, request: BuildRequest) -> None:
    """Raises UsageError for a build module that may not run, and for a build file outside of its context."""
    if inputs.url is not None or inputs.data is not None:
        raise UsageError(
            "a build file of another place is read from the context", help="name it as it lies there: -f FILE"
        )
    if frontend_of(inputs, dict(request.build_args)).kind == PYTHON and PYTHON_ALLOWED not in request.allow:
        raise UsageError(
            f"{inputs.name} of {request.context} is a Python module, which would run on this machine",
            help="read it first; --allow python lets it run",
        )


def fetch_project(inputs: FoundInputs, gateway: Gateway) -> tuple[FoundInputs, str]:
    """Fetch the context into a directory that is removed with the engine. Return inputs whose build file lies
    there, and the file's name in messages. Raises UserError."""
    from pybuild.frontends.remote_context import open_archive, open_remote
    from pybuild.runtime.export.paths import export_paths

    engine = gateway.engine
    if inputs.archive is not None:
        _place_archive(inputs.archive, engine)
        fetched = open_archive(inputs, CONTEXT, gateway.bridge)
    else:
        fetched = open_remote(inputs, gateway.bridge, keep_git_dir=False)
    assert fetched.edge is not None
    (result,) = engine.solve([fetched.edge])
    if inputs.archive is not None:
        engine.client.withdraw(CONTEXT)
    directory = os.path.join(engine.store.work, "context")
    tree = engine.snapshotter.tree(engine.snapshot(result))
    export_paths(tree, ["/."], directory, clean=False, root=engine.store.work)
    return fetched.with_directory(directory, os.path.join(directory, fetched.name)), fetched.name


def _place_archive(archive: bytes, engine: Engine) -> None:
    """Give the client the archive from standard input as a file of the main context."""
    directory = os.path.join(engine.store.work, "archive")
    os.mkdir(directory, 0o700)
    with open(os.path.join(directory, FILE), "wb") as file:
        file.write(archive)
    engine.client.provide(directories={CONTEXT: os.fsencode(directory)})


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
