"""Built-in functions (language spec, section 10). Sources and run options are in files of their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from pybuild.lang.diagnostics import SourceError
from pybuild.lang.textual import forms
from pybuild.lang.textual.expand import limits, operators, reads, run_options, sources
from pybuild.lang.textual.expand.arguments import Arguments
from pybuild.lang.textual.expand.conversions import plain
from pybuild.lang.textual.expand.frame import Compilation, Frame
from pybuild.lang.textual.expand.values import Raw, Value, Version, text_of
from pybuild.lang.textual.problems import types as type_problems
from pybuild.lang.textual.problems import values as problems
from pybuild.lang.textual.types import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

Function = Callable[[Arguments, Frame, Compilation], Value]

_INTEGER: Final = re.compile("[+-]?[0-9]{1,19}")


def _len(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    value = arguments.value("x")
    return len(value) if isinstance(value, tuple | Mapping) else len(text_of(arguments["x"].value))


def _str(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    value = arguments["x"].value
    return value if isinstance(value, str) and not isinstance(value, Raw) else text_of(value)


def _int(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    text = arguments.text("s")
    if not _INTEGER.fullmatch(text):
        raise SourceError(problems.no_integer(arguments["s"].span, text))
    return limits.integer(int(text), arguments["s"].span, compilation)


def _sorted(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    value = arguments.value("list")
    items = limits.items(value if isinstance(value, tuple) else (), arguments.span, compilation)
    return operators.in_order(items)


def _version(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    text = plain(arguments.text("s"), frame)
    flaw = forms.version(text)
    if flaw is not None:
        argument = arguments["s"]
        raise SourceError(
            type_problems.bad_form(argument.span, VERSION, text, flaw, literal=argument.literal)
        )
    return Version(text)


def _raw(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    return Raw(arguments.text("s"))


FUNCTIONS: Final[Mapping[str, Function]] = {
    "len": _len,
    "str": _str,
    "int": _int,
    "sorted": _sorted,
    "version": _version,
    "raw": _raw,
    "glob": reads.glob,
    "read": reads.read,
    "read_lines": reads.read_lines,
    "read_toml": reads.read_toml,
    "read_json": reads.read_json,
    **sources.SOURCES,
}

OPTIONS: Final[Mapping[str, Function]] = run_options.OPTIONS
