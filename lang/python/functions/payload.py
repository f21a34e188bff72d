"""Makes the files that are sent to the container: the runner, parts of files, and `call.json`, which says what to
call.

    {"name": "greet", "function": reference, "args": [reference…], "kwargs": [[name, reference]…],
     "needs": [3, 8], "written": [3, 11], "lines": variable,
     "modules": [{"name", "path", "file", "importable", "package", "units": [lines…], "top",
                  "constants": [[unit, name, data]…]}],
     "closures": [{"in": module, "unit", "name", "qualname", "free", "defaults", "kwdefaults"}]}

`path` is the file's name for users, and `file` is where its units are, below `files/`. A unit is a statement of a
file; the first `top` units are executed in order, a constant of unit N before that unit. `needs` is the oldest Python
that has the syntax, `written` the version that the build runs with. The places of units in the user's files are not
part of it, so that moving a function doesn't change it: the variable `lines` has them.
"""

from __future__ import annotations

import ast
import json
import os
import sys
from typing import Final, NoReturn

from attrs import define, field, frozen

from pybuild.lang.python.functions import problems
from pybuild.lang.python.functions.encoding import Encoder, NotData, Reference, text_of
from pybuild.lang.python.functions.files import first_line
from pybuild.lang.python.functions.kinds import described, is_secret, plain
from pybuild.lang.recipe import LINES, State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from pybuild.lang.python.functions.capturing import CapturedFunction
    from pybuild.lang.python.functions.parts import Closure, Module
    from pybuild.lang.python.functions.slice import Slice
    from pybuild.lang.source import Span

    Spans = Callable[[int | str], Span | None]

CALL: Final = "/run/pybuild/call"
"""The directory where the files are mounted."""
RETURN: Final = "/run/pybuild/return"
"""The directory where the returned value is written, as `VALUE`."""
INPUTS: Final = "/run/pybuild/in"
"""The directory where values returned by other calls are mounted, as `N.json`."""
VALUE: Final = "value.json"

_OLDEST = 8
_MOUNTED = "mount it for the call, `with t.using(pb.secret(…)):`, and read its file in the function"
_LONGEST_ARGUMENT = 40
"""The most characters of an argument that a title shows."""
_MAIN = """\
import sys

if sys.version_info < (3, 8):
    sys.stderr.write("error: functions need Python 3.8 or later, and the image has %d.%d\\n" % sys.version_info[:2])
    sys.exit(1)
runner = __file__[: -len("main.py")] + "runner.py"
with open(runner, "rb") as file:
    code = compile(file.read(), runner, "exec")
exec(code, {"__name__": __name__, "__file__": runner})
"""


@define(eq=False)
class ReturnValue:
    """A value that a call will return: data that only a container sees.

    `state` holds it, as the file `VALUE`, and is None before the call has become a step; `classes` are the classes
    that may occur in the value.
    """

    state: State | None
    name: str
    classes: Mapping[str, type] = field(factory=dict)

    def _no_value(self) -> NoReturn:
        from pybuild.lang.python.problems import no_text
        from pybuild.lang.python.recording import here, wrong

        raise wrong(no_text(here().span, f"what `{self.name}` returns", to="to another call"))

    def __str__(self) -> str:
        self._no_value()

    def __format__(self, spec: str) -> str:
        self._no_value()

    def __bool__(self) -> bool:
        self._no_value()

    def __iter__(self) -> NoReturn:
        self._no_value()

    def __getstate__(self) -> str:
        """Pickle the name alone: another process lacks the classes and sets the state itself."""
        return self.name

    def __setstate__(self, name: str) -> None:
        self.state, self.name, self.classes = None, name, {}


@frozen(eq=False)
class Payload:
    """A call, ready to become a step.

    `files` are by their paths below `CALL`; `argv` starts the runner; `inputs` are values of other calls, by number;
    `lines` is the value of the variable that gives the runner the places of units; `title` describes the call;
    `classes` are classes that the container knows and that may occur in the returned value.
    """

    title: str
    files: dict[str, bytes]
    argv: tuple[str, ...]
    lines: str
    inputs: tuple[ReturnValue, ...] = ()
    classes: Mapping[str, type] = field(factory=dict)
    name: str = ""


def payload(
    captured: CapturedFunction,
    args: Sequence[object] = (),
    kwargs: Mapping[str, object] | None = None,
    *,
    python: str = "python3",
    spans: Spans | None = None,
) -> Payload:
    """Make the call of a captured function with these arguments: data, or values returned by other calls.

    `python` is the image's interpreter; `spans` finds the place of an argument by its number or name. The same call
    gives the same bytes. Raises SourceError.
    """
    arguments: dict[int | str, object] = dict(enumerate(args))
    arguments.update(kwargs or {})
    spans = spans or (lambda key: captured.span)
    _check_arguments(captured, args, kwargs or {})
    inputs = _Inputs()
    with captured.at_work():
        code, function = captured.slice()
        encoder = Encoder(code.class_name, inputs.prepare)
        encoded = {key: _encoded(encoder, value, key, spans) for key, value in arguments.items()}
        # The container has to know the classes of inputs as well, to decode them.
        for returned in inputs.found:
            for cls in returned.classes.values():
                code.class_name(cls)
        code.finish()
    call = _Call(code)
    call.content |= {
        "name": captured.name,
        "function": function,
        "args": [{"data": one} for key, one in encoded.items() if isinstance(key, int)],
        "kwargs": [[key, {"data": one}] for key, one in encoded.items() if isinstance(key, str)],
    }
    # UTF-8 whatever the locale of the image is, and no byte code, which would be a part of the step's result.
    argv = (python, "-X", "utf8", "-B", f"{CALL}/main.py")
    title = _title(captured.name, encoded)
    return Payload(
        title, call.written(), argv, call.lines(), tuple(inputs.found), dict(code.classes), captured.name
    )


def _check_arguments(
    captured: CapturedFunction, args: Sequence[object], kwargs: Mapping[str, object]
) -> None:
    """Check that the arguments fit the function's parameters, so that the error comes before the step runs."""
    import inspect

    try:
        signature = inspect.signature(captured.function)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        raise problems.bad_arguments(captured.span, captured.name, str(error)) from None


class _Inputs:
    """Collects values of other calls, in the order in which they occur."""

    def __init__(self) -> None:
        self.found: list[ReturnValue] = []

    def prepare(self, value: object) -> object:
        if not isinstance(value, ReturnValue):
            return plain(value)
        number = next((at for at, one in enumerate(self.found) if one is value), len(self.found))
        if number == len(self.found):
            self.found.append(value)
        return Reference(number)


def _encoded(encoder: Encoder, value: object, key: int | str, spans: Spans) -> Any:
    try:
        return encoder.encode(value)
    except NotData as error:
        name = f"argument {key + 1}" if isinstance(key, int) else f"`{key}`"
        reason = _MOUNTED if is_secret(error.value) else error.reason
        raise problems.not_data(spans(key), name, error.where, described(error.value), reason) from None


def _title(name: str, encoded: Mapping[int | str, Any]) -> str:
    shown = []
    for key, value in encoded.items():
        text = text_of(value).decode().rstrip("\n")
        if isinstance(value, dict) and "$returned" in value:
            text = "…"
        text = text if len(text) <= _LONGEST_ARGUMENT else text[:_LONGEST_ARGUMENT] + "…"
        shown.append(text if isinstance(key, int) else f"{key}={text}")
    return f"call {name}({', '.join(shown)})"


class _Call:
    """The files of a slice."""

    def __init__(self, code: Slice) -> None:
        # Sorted, because the same call has to give the same bytes.
        modules = sorted(code.modules.values(), key=lambda one: (one.file.path, one.name))
        paths = [one.file.path for one in modules]
        # A file may be two modules: the build module, and the same file imported by its name.
        self._modules = [_Written(one, paths[:at].count(one.file.path)) for at, one in enumerate(modules)]
        self._needs = _OLDEST
        places = {one.module.name: one for one in self._modules}
        needs = [one.needs() for one in self._modules]
        version = sys.version_info[1]
        self.content: dict[str, Any] = {
            "needs": [3, max([_OLDEST, *needs])],
            "written": [3, version],
            "lines": LINES,
            "modules": [
                *(_empty_package(name) for name in sorted(code.packages)),
                *(one.entry() for one in self._modules),
            ],
            "closures": [_closure(one, places[one.module.name]) for one in code.closures],
        }

    def lines(self) -> str:
        """Return the lines of all units by their files, as JSON."""
        lines = {one.stored: one.lines for one in self._modules if one.lines}
        return json.dumps(lines, separators=(",", ":"), sort_keys=True)

    def written(self) -> dict[str, bytes]:
        """Return all files, those of the runner included."""
        out = {"call.json": json.dumps(self.content, indent=1).encode() + b"\n"}
        for module in self._modules:
            if module.texts:
                out[f"files/{module.stored}"] = "".join(module.texts).encode()
        out["main.py"] = _MAIN.encode()
        for name in ("encoding.py", "runner.py"):
            with open(os.path.join(os.path.dirname(__file__), name), "rb") as file:
                out[name] = file.read()
        return dict(sorted(out.items()))


def _empty_package(name: str) -> dict[str, Any]:
    path = name.replace(".", "/")
    return {
        "name": name,
        "path": path,
        "file": path,
        "importable": True,
        "package": True,
        "units": [],
        "top": 0,
        "constants": [],
    }


class _Written:
    """The units of one module: their texts, and their first lines. Units of nested functions come last."""

    def __init__(self, module: Module, number: int) -> None:
        self.module = module
        self.stored = module.file.path + (f"~{number}" if number else "")
        file = module.file
        top = [(first_line(one), file.text(one)) for one in module.kept]
        for statement, names in module.imports.items():
            top.append((statement.lineno, _import(statement, list(names))))
        top.sort()
        inner = sorted(module.inner, key=lambda one: one.lineno)
        self.top = len(top)
        self.inner = {one: len(top) + at for at, one in enumerate(inner)}
        units = top + [(first_line(one), file.text(one)) for one in inner]
        self.lines = [line for line, _ in units]
        self.texts = [text for _, text in units]

    def entry(self) -> dict[str, Any]:
        module = self.module
        before = self.lines[: self.top]
        constants = [
            [sum(one < line for one in before), name, data] for name, (line, data) in module.constants.items()
        ]
        return {
            "name": module.name,
            "path": module.file.path,
            "file": self.stored,
            "importable": module.importable,
            "package": module.package,
            "units": [text.count("\n") for text in self.texts],
            "top": self.top,
            "constants": sorted(constants, key=lambda one: (one[0], one[1])),
        }

    def needs(self) -> int:
        """Return the minor version of the oldest Python 3 that has the syntax of all units, as far as the parser can
        tell."""
        version = _OLDEST
        for at, text in enumerate(self.texts):
            # The text of a nested function is indented, so parse it inside a function.
            whole = text if at < self.top else "def enclosing():\n" + text
            while version < sys.version_info[1] and not _parses(whole, version):
                version += 1
        return version


def _parses(text: str, version: int) -> bool:
    try:
        ast.parse(text, feature_version=(3, version))
    except (SyntaxError, ValueError):
        return False
    return True


def _import(statement: ast.Import | ast.ImportFrom, names: Sequence[tuple[str, str | None]]) -> str:
    """Return the text of an import of only these names."""
    aliases = [
        ast.alias(name, asname) for name, asname in sorted(names, key=lambda one: (one[0], one[1] or ""))
    ]
    if isinstance(statement, ast.Import):
        return ast.unparse(ast.Import(aliases)) + "\n"
    return ast.unparse(ast.ImportFrom(statement.module, aliases, statement.level)) + "\n"


def _closure(closure: Closure, written: _Written) -> dict[str, Any]:
    return {
        "in": closure.module.name,
        "unit": written.inner[closure.node],
        "name": closure.node.name,
        "qualname": closure.qualname,
        "free": closure.free,
        "defaults": closure.defaults,
        "kwdefaults": closure.kwdefaults,
    }
