"""Runs a captured function in the container. The file is a part of the payload, which `main.py` loads with Python 3.8
or later; it uses nothing but the standard library, and `encoding.py` beside it.

    BASE/call/call.json        what to call: see `payload.py`
    BASE/call/files/FILE       the parts of a file of the user's that are needed
    BASE/in/N.json             what an earlier call returned
    BASE/return/value.json     what this one returns

Each part (*unit*) of a file is compiled at its place in the user's file, which a variable tells, so that
tracebacks and warnings name the user's lines.
"""

from __future__ import annotations
import __future__

import importlib
import importlib.machinery
import importlib.util
import json
import linecache
import os
import sys
import traceback
import types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))
BASE = os.path.dirname(HERE)
FLAGS = __future__.annotations.compiler_flag
"""Annotations aren't evaluated: what they name may not be there."""


class Unit:
    """A part of a file: its text and the number of its first line."""

    def __init__(self, path: str, text: str, line: int) -> None:
        self.path = path
        self.text = text
        self.line = line

    def compile(self) -> types.CodeType:
        return self._compiled("\n" * (self.line - 1) + self.text)

    def function(self, name: str, free: Sequence[str]) -> types.CodeType:
        """The code of the function that the unit defines inside of another one, whose variables `free` it uses."""
        line = max(self.line, 2)
        code = self._compiled("\n" * (line - 2) + f"def enclosing({', '.join(free)}):\n" + self.text)
        stack = [code]
        while stack:
            one = stack.pop()
            if one.co_name == name and one.co_firstlineno == line:
                return one
            stack += [part for part in one.co_consts if isinstance(part, types.CodeType)]
        raise LookupError(name)

    def _compiled(self, text: str) -> types.CodeType:
        code: types.CodeType = compile(text, self.path, "exec", FLAGS, True)
        return code


class File:
    """A file of the user: its units, and what of its module is data."""

    def __init__(self, entry: dict[str, Any], lines: Sequence[int]) -> None:
        self.name: str = entry["name"]
        self.path: str = entry["path"]
        self.importable: bool = entry["importable"]
        self.package: bool = entry["package"]
        self.constants: list[tuple[int, str, Any]] = entry["constants"]
        self.top: int = entry["top"]
        self.units: list[Unit] = []
        text = _read(os.path.join(HERE, "files", *entry["file"].split("/"))) if entry["units"] else ""
        rest = [one + "\n" for one in text.split("\n")]
        number = 1
        for at, count in enumerate(entry["units"]):
            line = lines[at] if at < len(lines) else number
            self.units.append(Unit(self.path, "".join(rest[:count]), line))
            rest = rest[count:]
            number += count
        self._show()

    def _show(self) -> None:
        """Let tracebacks find the lines."""
        known = linecache.cache.get(self.path, (0, None, [], ""))
        shown: list[str] = list(known[2]) if len(known) == 4 else []
        for unit in self.units:
            lines = [one + "\n" for one in unit.text.split("\n")[:-1]]
            end = unit.line - 1 + len(lines)
            shown += ["\n"] * (end - len(shown))
            shown[unit.line - 1 : end] = lines
        linecache.cache[self.path] = (1, None, shown, self.path)


def _read(path: str) -> str:
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


class Program:
    """The user's modules: what imports them finds them here. A finder and a loader, as the import system has them."""

    def __init__(self, call: dict[str, Any], lines: dict[str, list[int]], encoding: Any) -> None:
        self.call = call
        self.files = {entry["name"]: File(entry, lines.get(entry["file"], ())) for entry in call["modules"]}
        self.paths = frozenset(file.path for file in self.files.values())
        self.encoding = encoding
        self.decoder = encoding.Decoder(self.class_of, self.returned)
        self._closures: list[types.FunctionType] = []

    # Modules

    def find_spec(
        self, fullname: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        file = self.files.get(fullname)
        if file is None or not file.importable:
            return None
        loader: Any = self
        return importlib.machinery.ModuleSpec(fullname, loader, origin=file.path, is_package=file.package)

    def create_module(self, spec: object) -> None:
        """The usual kind of module."""

    def exec_module(self, module: types.ModuleType) -> None:
        self._execute(self.files[module.__name__], module)

    def load(self) -> None:
        """Make all modules: those that can be imported first, they know nothing of the others."""
        for file in self.files.values():
            if file.importable:
                importlib.import_module(file.name)
        for file in self.files.values():
            if not file.importable:
                module = sys.modules[file.name] = types.ModuleType(file.name)
                self._execute(file, module)

    def _execute(self, file: File, module: types.ModuleType) -> None:
        namespace = module.__dict__
        namespace["__file__"] = file.path
        constants = list(file.constants)
        for at, unit in enumerate(file.units[: file.top]):
            while constants and constants[0][0] <= at:
                _, name, plain = constants.pop(0)
                namespace[name] = self.decoder.decode(plain)
            exec(unit.compile(), namespace)
        for _, name, plain in constants:
            namespace[name] = self.decoder.decode(plain)

    # Values

    def class_of(self, name: str) -> type:
        """The class of this name, a module of the user's or the image's."""
        module, _, path = name.partition(":")
        found = self._attribute(module, path)
        if not isinstance(found, type):
            raise self.encoding.BadData(f"{name} is no class")
        return found

    def _attribute(self, module: str, path: str) -> Any:
        found: Any = sys.modules[module] if module in sys.modules else importlib.import_module(module)
        for name in path.split("."):
            found = getattr(found, name)
        return found

    def returned(self, number: int) -> object:
        with open(os.path.join(BASE, "in", f"{number}.json"), "rb") as file:
            data = file.read()
        return self.encoding.loads(data, self.class_of)

    def value(self, plain: dict[str, Any]) -> Any:
        """What a reference of the payload leads to."""
        if "global" in plain:
            return self._attribute(*plain["global"])
        if "module" in plain:
            return importlib.import_module(plain["module"])
        if "closure" in plain:
            return self._closures[plain["closure"]]
        return self.decoder.decode(plain["data"])

    def make_closures(self) -> None:
        """Functions inside of functions. They may refer to each other: their variables are filled in when all are
        there."""
        wanted = self.call["closures"]
        codes = []
        for one in wanted:
            unit = self.files[one["in"]].units[one["unit"]]
            codes.append(unit.function(one["name"], [name for name, _ in one["free"]]))
            cells = tuple(types.CellType() for _ in codes[-1].co_freevars)
            namespace = sys.modules[one["in"]].__dict__
            made = types.FunctionType(codes[-1], namespace, one["name"], None, cells)
            made.__qualname__ = one["qualname"]
            self._closures.append(made)
        for one, code, made in zip(wanted, codes, self._closures):  # noqa: B905 (Python 3.8)
            values = {name: self.value(plain) for name, plain in one["free"]}
            for name, cell in zip(code.co_freevars, made.__closure__ or ()):  # noqa: B905
                cell.cell_contents = values[name]
            made.__defaults__ = tuple(map(self.value, one["defaults"])) or None
            made.__kwdefaults__ = {name: self.value(plain) for name, plain in one["kwdefaults"]}


def report(error: BaseException) -> None:
    """Print the error with the user's frames alone."""
    shown = traceback.TracebackException(type(error), error, error.__traceback__)
    _clean(shown, set())
    text = "".join(shown.format())
    if isinstance(error, ModuleNotFoundError):
        version = "{}.{}".format(*sys.version_info[:2])
        text += f"note: a function runs with the image's Python ({sys.executable}, {version}): install there what it "
        text += "imports\n"
    sys.stderr.write(text)


def _clean(shown: Any, seen: set[int]) -> None:
    if shown is None or id(shown) in seen:
        return
    seen.add(id(shown))
    own = HERE + os.sep
    stack = shown.stack
    stack[:] = [one for one in stack if not one.filename.startswith((own, "<frozen importlib"))]
    for other in (shown.__cause__, shown.__context__, *(getattr(shown, "exceptions", None) or ())):
        _clean(other, seen)


def run(program: Program) -> Any:
    """Call the function; what it returned."""
    call = program.call
    program.load()
    program.make_closures()
    function = program.value(call["function"])
    args = [program.value(one) for one in call["args"]]
    kwargs = {name: program.value(one) for name, one in call["kwargs"]}
    return function(*args, **kwargs)


def save(program: Program, value: object) -> None:
    data = program.encoding.dumps(value)
    with open(os.path.join(BASE, "return", "value.json"), "wb") as file:
        file.write(data)


def join() -> None:
    """In a process that `multiprocessing` has started anew for the function: it has the same modules."""
    call = json.loads(_read(os.path.join(HERE, "call.json")))
    program = Program(call, {}, _load("encoding"))
    sys.meta_path.insert(0, program)
    program.load()


def main() -> int:
    """The exit code: that of `sys.exit`, 1 for an exception."""
    own = os.path.realpath(HERE)
    sys.path[:] = [one for one in sys.path if os.path.realpath(one or ".") != own]
    call = json.loads(_read(os.path.join(HERE, "call.json")))
    lines = json.loads(os.environ.pop(call["lines"], "") or "{}")
    if list(sys.version_info[:2]) < call["needs"]:
        sys.stderr.write(_too_old(call, "{}.{}".format(*call["needs"])))
        return 1
    encoding = _load("encoding")
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    program = Program(call, lines, encoding)
    sys.meta_path.insert(0, program)
    value: object = None
    try:
        value = run(program)
    except SystemExit as error:
        if error.code is not None and error.code != 0:
            raise
    except BaseException as error:
        report(error)
        if isinstance(error, SyntaxError) and error.filename in program.paths:
            sys.stderr.write(_too_old(call, "{}.{}".format(*call["written"])))
        return 1
    try:
        save(program, value)
    except encoding.NotData as error:
        sys.stderr.write(_no_data(call, error))
        return 1
    return 0


def _no_data(call: dict[str, Any], error: Any) -> str:
    kind = type(error.value)
    where = f", at {error.where}" if error.where else ""
    why = f": {error.reason}" if error.reason else ""
    return (
        f"error: `{call['name']}` returned a value of the type {kind.__module__}.{kind.__qualname__}{where}, which "
        f"is no data{why}\nhelp: return JSON values, dates, paths, bytes, enums, dataclasses or attrs objects\n"
    )


def _too_old(call: dict[str, Any], needed: str) -> str:
    has = "{}.{}.{}".format(*sys.version_info[:3])
    return (
        f"error: `{call['name']}` is written for Python {needed} or later, and the image has {has}\n"
        f"help: start from an image with Python {needed}, or write the function for the older one\n"
    )


def _load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"pybuild_{name}", os.path.join(HERE, f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.exit(main())
if __name__ == "__mp_main__":
    join()
