"""The command `pybuild init`: a starter for the project in a directory.

The starters lie in `starters/`, programs with two kinds of gaps: `@NAME@` is a value, and lines from `#? NAME` to
`#?` are kept if the project has that part.
"""

from __future__ import annotations

import os
import re

from attrs import frozen

from pybuild.frontends.build_context import DOCKERFILES, LANGUAGE_FILE, MODULE_FILE
from pybuild.lang.diagnostics import UsageError
from pybuild.language.projects import recognised

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.language.projects import Project

_GAP = re.compile(r"@([a-z]+)@")
_OPTIONAL = re.compile(r"#\?(?: (\w+))?\n?")


@frozen
class StarterFile:
    """The written file: `path`, for `project`; `beside` is another build file in the same directory."""

    path: str
    project: Project
    beside: str | None

    def text(self) -> str:
        """The message to the user: the written file, and what to do next."""
        lines = [f"wrote {self.path}, {self.project.title}"]
        lines += [f"first: {step}" for step in self.project.first]
        build = "pybuild build" if self.beside is None else f"pybuild build -f {self.path}"
        directory = os.path.dirname(self.path)
        lines.append(f"next: {build} {directory}".rstrip())
        return "".join(f"{line}\n" for line in lines)


def init(directory: str = "") -> StarterFile:
    """Write a build file into `directory`, "" for the current one. Raises UsageError if there is one, or if
    it can't be written."""
    path = os.path.join(directory, LANGUAGE_FILE)
    if not os.path.isdir(directory or "."):
        raise UsageError(f"there is no directory {directory}", help=f"make it: mkdir -p {directory}")
    project = recognised(directory or ".")
    text = fill(starter(project.starter), project)
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(
            f"{path} is there already", help="nothing is overwritten: move it away, or give another directory"
        ) from None
    except OSError as error:
        raise UsageError(f"{path} can't be written: {(error.strerror or str(error)).lower()}") from None
    other_names = (*DOCKERFILES, MODULE_FILE)
    beside = (name for name in other_names if os.path.lexists(os.path.join(directory, name)))
    return StarterFile(path, project, next(beside, None))


def starter(name: str) -> str:
    with open(os.path.join(starters(), name + ".pybuild"), encoding="utf-8") as file:
        return file.read()


def starters() -> str:
    """Return the directory of the starters."""
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "starters")


def fill(text: str, project: Project) -> str:
    """Fill a starter's gaps for a project."""
    lines = []
    left_out: list[bool] = []
    for line in text.splitlines(keepends=True):
        marker = _OPTIONAL.fullmatch(line)
        if marker is None:
            if not any(left_out):
                lines.append(_GAP.sub(lambda gap: project.values[gap[1]], line))
        elif marker[1] is None:
            left_out.pop()
        else:
            left_out.append(marker[1] not in project.parts)
    return "".join(lines)
