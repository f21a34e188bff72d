"""The command `pybuild convert`: a build file in another form.

    Dockerfile  -> .pybuild
    Dockerfile  -> .pybuild -> Python
    .pybuild    -> Python
    Python      -> .pybuild

The result goes to standard output or a file; differences in meaning are reported on standard error too.
"""

from __future__ import annotations

import os

from pybuild.frontends.build_context import MODULE_FILE, STDIN
from pybuild.lang import frontends
from pybuild.lang.diagnostics import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from pybuild.lang.diagnostics import Diagnostic

LANGUAGE: Final = "pybuild"
PYTHON: Final = "python"
KINDS: Final = (LANGUAGE, PYTHON)

_DOCKERFILES: Final = (frontends.DOCKERFILE, frontends.DOCKERFILE_EXTENDED, frontends.DOCKERFILE_IMAGE)


def run_convert(
    file: str, *, to: str | None, output: str | None, context: str | None, linked: bool, force: bool
) -> int:
    """Convert `file`, or the build file of a directory, and return the exit code. `to` None chooses the form.
    A file is only overwritten with `force`. Raises UserError."""
    from pybuild.cli.fmt import read_file
    from pybuild.cli.terminal import note, show
    from pybuild.request.values import known

    kind = None if to is None else known(to, KINDS, "kind")
    if output is not None and os.path.lexists(output) and not force:
        raise _already_exists(output)
    name, data = read_file(file)
    text, differences = _convert(file, name, data, kind, context, linked=linked)
    if output is None:
        show(text)
    else:
        _write(output, text, force=force)
    for difference in differences:
        place = difference.span.place if difference.span is not None else name
        note(f"{place}: differs: {difference.title}")
    return 0


def _convert(
    file: str, name: str, data: bytes, to: str | None, context: str | None, *, linked: bool
) -> tuple[str, tuple[Diagnostic, ...]]:
    """Return the converted text of the build file `name`, which was found as `file`, and the differences in meaning
    that its comments name, as far as they come from here."""
    syntax = frontends.detect_syntax(data)
    frontend = frontends.choose(syntax.reference) if syntax is not None else frontends.by_name(name)
    if frontend.kind == frontends.LANGUAGE:
        if to == LANGUAGE:
            raise UsageError(
                f"{name} is a file of the language already", help="--to python makes a module of it"
            )
        return _python(name, data), ()
    if frontend.kind == frontends.PYTHON:
        if to == PYTHON:
            raise UsageError(
                f"{name} is a Python module already", help="--to pybuild makes a build file of it"
            )
        return _unroll(file, name, data), ()
    if frontend.kind not in _DOCKERFILES:
        from pybuild.lang.convert.problems import other_frontend

        raise other_frontend(frontend.reference or name)
    text, differences = _from_dockerfile(name, data, context, extended=frontend.extended, linked=linked)
    return (_python(name, text.encode()) if to == PYTHON else text), differences


def _from_dockerfile(
    name: str, data: bytes, context: str | None, *, extended: bool, linked: bool
) -> tuple[str, tuple[Diagnostic, ...]]:
    from pybuild.cli.convert_context import ConvertContext
    from pybuild.lang.convert import convert_dockerfile
    from pybuild.lang.dockerfile.parse import decode, parse

    directory = context if context is not None else os.path.dirname(name) or "."
    if not os.path.isdir(directory):
        raise UsageError(
            f"the context {directory} is not a directory", help="give the directory of the files to copy"
        )
    with ConvertContext(directory, None if name == STDIN else name, linked=linked) as surroundings:
        read_include = surroundings.read if extended else None
        converted = convert_dockerfile(parse(decode(name, data), read=read_include), surroundings)
    return converted.text, converted.differences


def _python(name: str, data: bytes) -> str:
    """Return a file of the language as a Python module. Raises SourceErrors."""
    from pybuild.lang.convert.pythonsource import python_source
    from pybuild.lang.diagnostics import SourceErrors
    from pybuild.lang.textual.parse import decode, parse

    parsed = parse(decode(name, data))
    errors = [diagnostic for diagnostic in parsed.diagnostics if diagnostic.level == "error"]
    if errors:
        raise SourceErrors(errors)
    return python_source(parsed.file)


def _unroll(file: str, name: str, data: bytes) -> str:
    """Return a Python module, which was found as `file`, as a file of the language, with all loops unrolled. Raises
    UserError."""
    from pybuild.build.engine import with_modules
    from pybuild.language.params import given_params
    from pybuild.language.pythonmodule import PythonCompiled
    from pybuild.request.request import BuildRequest
    from pybuild.request.trust import refuse_module

    path = MODULE_FILE if name == STDIN else os.path.normpath(name)
    request = BuildRequest(file) if os.path.isdir(file) else BuildRequest(file=file)
    refuse_module(path, request)
    compiled = PythonCompiled(path, data, params=given_params(request))
    return with_modules(compiled, request, compiled.unrolled)


def _write(path: str, text: str, *, force: bool) -> None:
    """Write a file atomically. Raises UserError."""
    from pybuild.cli.rewrite_file import rewrite

    try:
        with open(path, "xb") as file:
            file.write(text.encode())
        return
    except FileExistsError:
        if not force:
            raise _already_exists(path) from None
    except OSError as error:
        raise UsageError(f"{path} can't be written: {(error.strerror or str(error)).lower()}") from None
    rewrite(path, text.encode())


def _already_exists(path: str) -> UsageError:
    return UsageError(f"{path} is there already", help="--force writes over it; or give another name")
