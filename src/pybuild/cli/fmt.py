"""The command `pybuild fmt`: build files in the formatter's form."""

from __future__ import annotations

import os
import sys

from pybuild.build import errors
from pybuild.cli.rewrite_file import encode, rewrite
from pybuild.cli.terminal import note, show
from pybuild.frontends.build_context import STDIN, find_inputs
from pybuild.lang import frontends
from pybuild.lang.diagnostics import UsageError, UserError
from pybuild.replay.dependencies import Dependencies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_DIALECTS = (frontends.DOCKERFILE, frontends.DOCKERFILE_EXTENDED, frontends.DOCKERFILE_IMAGE)


class FormattedFile:
    """A build file before and after formatting. `name` is its name for the user."""

    __slots__ = ("after", "before", "name")

    def __init__(self, name: str, before: bytes, after: bytes) -> None:
        self.name = name
        self.before = before
        self.after = after

    @property
    def changed(self) -> bool:
        return self.before != self.after

    def diff(self) -> str:
        from difflib import unified_diff

        before, after = (
            data.decode("utf-8", "replace").splitlines(keepends=True) for data in (self.before, self.after)
        )
        lines = unified_diff(before, after, self.name, self.name)
        return "".join(
            line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
        )


def run_fmt(files: Sequence[str], *, check: bool, diff: bool) -> int:
    """Format `files`, or the Dockerfile of a directory; `-` goes from standard input to standard output. With
    `check` or `diff` nothing is written. Return the exit code; it is 2 if any file doesn't parse, and then
    none is written."""
    results: list[FormattedFile] = []
    code = 0
    for file in dict.fromkeys(files or (".",)):
        try:
            results.append(format_file(file))
        except UserError as error:
            code = max(code, errors.report(error, sys.stderr))
    if code:
        return 2
    changed = [result for result in results if result.changed]
    if diff:
        show("".join(result.diff() for result in changed))
    elif check:
        show("".join(f"{result.name}\n" for result in changed))
    else:
        for result in results:
            if result.name == STDIN:
                sys.stdout.buffer.write(result.after)
                sys.stdout.buffer.flush()
            elif result.changed:
                rewrite(result.name, result.after)
                note(f"formatted {result.name}")
    return 1 if check and changed else 0


def format_file(file: str) -> FormattedFile:
    """Format one build file. Raises SourceError, UsageError."""
    from pybuild.lang.dockerfile.fmt import format_text
    from pybuild.lang.dockerfile.parse import decode

    name, data = read_file(file)
    source = decode(name, data)
    syntax = frontends.detect_syntax(data)
    frontend = frontends.choose(syntax.reference) if syntax is not None else frontends.by_name(name)
    if frontend.kind == frontends.LANGUAGE:
        from pybuild.lang.textual.fmt import format_source

        return FormattedFile(name, data, format_source(name, data).encode("utf-8"))
    if frontend.kind == frontends.PYTHON:
        raise UsageError(f"{name} is a Python module", help=f"format it with: ruff format {name}")
    if frontend.kind not in _DIALECTS:
        from pybuild.plugins.installed import refusal

        raise refusal(frontend, syntax, source)
    text = format_text(source, extended=frontend.kind == frontends.DOCKERFILE_EXTENDED)
    return FormattedFile(name, data, encode(text, data))


def read_file(file: str) -> tuple[str, bytes]:
    """Return the name and the bytes of a build file, or of a directory's, found as a build finds it. Raises
    UsageError."""
    if file == STDIN:
        return STDIN, sys.stdin.buffer.read()
    if os.path.isdir(file):
        inputs = find_inputs(file, None, Dependencies())
    elif os.path.exists(file):
        inputs = find_inputs(os.path.dirname(file) or ".", file, Dependencies())
    else:
        raise UsageError(f"there is no file {file}", help="name a build file, or a directory that has one")
    return os.path.normpath(inputs.name), inputs.data or b""
