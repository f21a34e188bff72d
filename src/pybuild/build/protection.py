"""Protects the files of the projects that a build reads from and writes to against its own outputs."""

from __future__ import annotations

import os
import sys

from pybuild.request.project import Project

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pybuild.build.plan import Plan
    from pybuild.request.request import BuildRequest
    from pybuild.runtime.export.output import Output
    from pybuild.runtime.export.protected import ProtectedFiles


def protected_files(plan: Plan, request: BuildRequest, outputs: Sequence[Output]) -> ProtectedFiles | None:
    """Return what no output may write, None if no file of this machine is written. Raises ProtectedPath for an output
    whose own path is protected."""
    paths = [output.dest for output in outputs if output.dest not in ("", "-")]
    paths += [path for path in (request.iidfile, request.metadata_file) if path not in (None, "-")]
    if not paths and not any(goal.files for goal in plan.goals):
        return None
    from pybuild.runtime.export.protected import ProtectedFiles

    code = [*plan.dependencies.code, *_python_modules()]
    protected = ProtectedFiles(_roots(plan, request, paths), code)
    for path in paths:
        protected.refuse_file(path)
    return protected


def _roots(plan: Plan, request: BuildRequest, paths: Sequence[str]) -> Iterator[str]:
    if plan.project:
        yield plan.project
    if os.path.isdir(request.context):
        yield Project(request.context).root
    for path in paths:
        project = Project(path)
        if project.in_repository:
            yield project.root


def _python_modules() -> Iterator[str]:
    """Yield the files of all modules that this process has imported: a build module's own are among them."""
    for module in list(sys.modules.values()):
        for name in ("__file__", "__cached__"):
            path = getattr(module, name, None)
            if isinstance(path, str):
                yield path
