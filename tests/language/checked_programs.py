"""What is said of a program, by the function that `pybuild check` calls, without a process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pybuild.cli.check_language import check_file
from pybuild.lang.diagnostics import SourceErrors, UserError, render
from pybuild.language.compiled import Compiled
from pybuild.request.request import BuildRequest

HEADER = "# syntax=pybuild:1\n"
BODY = 'target a:\n    from "x"\n'


def said(directory: Path, text: str, files: Mapping[str, str] | None = None) -> str:
    """The messages about a build file in a directory, as they are printed."""
    for name, content in (files or {}).items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(content)
    name = str(directory / "build.pybuild")
    try:
        found = check_file(Compiled(name, (HEADER + text).encode()), BuildRequest()).found
    except SourceErrors as error:
        found = list(error.diagnostics)
    except UserError as error:
        found = [error.diagnostic]
    return "\n\n".join(map(render, found))


def said_of_line(directory: Path, line: str, files: Mapping[str, str] | None = None) -> str:
    """The messages about a statement of a target."""
    return said(directory, f"{BODY}    {line}\n", files)
