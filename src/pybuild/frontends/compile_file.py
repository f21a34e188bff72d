"""Compile the build file of a request: a file of the language, or a Python build module."""

from __future__ import annotations

import os

from pybuild.frontends.found_inputs import LANGUAGE_FILE, MODULE_FILE, STDIN, frontend_of
from pybuild.lang.diagnostics import UsageError
from pybuild.lang.frontends import PYTHON
from pybuild.language.compiled import Compiled
from pybuild.language.params import given_params

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.frontends.found_inputs import FoundInputs
    from pybuild.replay.dependencies import Dependencies
    from pybuild.request.request import BuildRequest


def compile_file(
    inputs: FoundInputs, request: BuildRequest, dependencies: Dependencies, *, shown: str = ""
) -> Compiled:
    """Return the compilation of a request's build file, whose name is `shown` in messages unless that is "".
    Raises UsageError if it lies elsewhere or may not run, UserError for bad params."""
    python = frontend_of(inputs, dict(request.build_args)).kind == PYTHON
    what = "a Python build module" if python else "a build file of the language"
    if inputs.data is None or inputs.directory is None:
        raise UsageError(
            f"{what} must lie in a directory of this machine, not in {request.context}",
            help="fetch it first: git clone, or tar",
        )
    default = MODULE_FILE if python else LANGUAGE_FILE
    name = os.path.normpath(os.path.join(inputs.directory, default) if request.file == STDIN else inputs.name)
    kind = Compiled
    if python:
        from pybuild.request.trust import refuse_module

        refuse_module(inputs.name, request)
        from pybuild.language.pythonmodule import PythonCompiled

        kind = PythonCompiled
    return kind(
        name,
        inputs.data,
        shown=shown,
        allow=request.allow,
        params=given_params(request),
        dependencies=dependencies,
    )
