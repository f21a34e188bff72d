"""Build files that lie elsewhere, in a repository or an archive: their context is fetched into a directory of the
build.

What is written into it (the lock file, outputs) would be gone with the build, so outputs are refused.
"""

from __future__ import annotations

import os

from pybuild.build.inputs import frontend_of
from pybuild.lang.diagnostics import SourceErrors, UsageError, source_error
from pybuild.lang.frontends import PYTHON

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from pybuild.build.inputs import Inputs
    from pybuild.lang.recipe import Recipe
    from pybuild.language.compiled import Compiled
    from pybuild.request.request import BuildRequest
    from pybuild.runtime.engine import Engine
    from pybuild.runtime.progress.observer import Observer

ALLOW: Final = "python"
"""The entitlement that lets the build module of another place run."""


def lies_elsewhere(inputs: Inputs) -> bool:
    return inputs.remote is not None or inputs.archive is not None or inputs.url is not None


def check_allowed(inputs: Inputs, request: BuildRequest) -> None:
    """Raises UsageError for a build module that may not run, and for a build file that is apart from its context."""
    if inputs.url is not None or inputs.dockerfile is not None:
        raise UsageError(
            "a build file of another place is read from the context", help="name it as it lies there: -f FILE"
        )
    if frontend_of(inputs, request).kind == PYTHON and ALLOW not in request.allow:
        raise UsageError(
            f"{inputs.name} of {request.context} is a Python module, which would run on this machine",
            help="read it first; --allow python lets it run",
        )


def fetched(inputs: Inputs, request: BuildRequest, engine: Engine, observer: Observer) -> Compiled:
    """The build file, with its context in a directory that goes with the engine. Raises UserError."""
    from pybuild.build.dockerfiles import CONTEXT
    from pybuild.build.remote_context import open_archive, open_context
    from pybuild.compiler.remote import FILE
    from pybuild.language.compiled import compiled_of
    from pybuild.runtime.bridge.bridge import local_bridge
    from pybuild.runtime.export.paths import export_paths

    bridge = local_bridge(engine, observer)
    if inputs.archive is not None:
        packed = os.path.join(engine.store.work, "archive")
        os.mkdir(packed, 0o700)
        with open(os.path.join(packed, FILE), "wb") as file:
            file.write(inputs.archive)
        engine.client.provide(directories={CONTEXT: os.fsencode(packed)})
        edge = open_archive(inputs, CONTEXT, bridge)
        engine.client.withdraw(CONTEXT)
    else:
        edge = open_context(inputs, bridge, keep_git_dir=False)
    (result,) = engine.solve([edge])
    directory = os.path.join(engine.store.work, "context")
    tree = engine.snapshotter.tree(engine.snapshot(result))
    export_paths(tree, ["/."], directory, clean=False, root=engine.store.work)
    shown, inputs.name = inputs.name, os.path.join(directory, inputs.name)
    inputs.directory = directory
    compiled = compiled_of(inputs, request)
    compiled.shown = shown
    return compiled


def check_outputs(recipe: Recipe, request: BuildRequest) -> None:
    """Raises SourceErrors if files are to be taken out."""
    found = [
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
    if found:
        raise SourceErrors(found)
