"""Parts of a project that a function needs: modules with statements of their top level, and nested functions."""

from __future__ import annotations

import ast
import importlib.util
import sys
import types

from attrs import field, frozen

from pybuild.lang.python.functions.files import Definition
from pybuild.lang.python.functions.references import Place
from pybuild.lang.source import Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pybuild.lang.python.functions.files import Import, PythonFile


@frozen
class Use:
    """A place that uses something, and the function it belongs to."""

    file: PythonFile
    place: Place
    function: str

    @property
    def span(self) -> Span:
        start, end = self.place, self.file.column(self.place.end_line, self.place.end_column)
        column = self.file.column(start.line, start.column)
        return Span(self.file.source, start.line, column, start.end_line, end)


class Module:
    """A module of the project and the parts of it that are needed.

    `name` is its name in the container. A module that isn't imported by a name is named after its path, with dots
    replaced: `pickle` would take the part before a dot for a package.
    """

    def __init__(self, file: PythonFile, namespace: dict[str, Any]) -> None:
        self.file = file
        self.namespace = namespace
        name = str(namespace.get("__name__", ""))
        imported = sys.modules.get(name)
        self.importable = name != "__main__" and imported is not None and imported.__dict__ is namespace
        self.name = name if self.importable else _unimported(file.path)
        self.package = self.importable and "__path__" in namespace
        self.kept: dict[ast.stmt, None] = {}
        self.imports: dict[Import, dict[tuple[str, str | None], None]] = {}
        self.constants: dict[str, tuple[int, Any]] = {}
        self.inner: dict[ast.stmt, None] = {}
        self.seen: set[str] = set()

    def statement(self, name: str, value: object) -> ast.stmt | None:
        """Return the statement that bound the name: of several `def`s the function's own, else the last."""
        statements = self.file.binding(name)
        code = getattr(value, "__code__", None)
        for statement in statements:
            if (
                isinstance(statement, Definition)
                and isinstance(code, types.CodeType)
                and statement.lineno == code.co_firstlineno
            ):
                return statement
        if statements:
            return statements[-1]
        # `from … import *` may have bound it.
        for statement in self.file.binding("*"):
            origin = self.origin(statement) if isinstance(statement, ast.ImportFrom) else None
            if origin is not None and origin.__dict__.get(name) is value:
                return statement
        return None

    def origin(self, statement: ast.ImportFrom) -> types.ModuleType | None:
        """Return the module that a `from … import` of this one imports from."""
        return sys.modules.get(self.absolute(statement.module or "", statement.level))

    def absolute(self, name: str, level: int) -> str:
        """Return the full name of a module that code of this one imports."""
        if not level:
            return name
        try:
            return importlib.util.resolve_name(
                "." * level + name, str(self.namespace.get("__package__") or "")
            )
        except ImportError:
            return name

    def definition(self, name: str) -> Use:
        """Return the definition of a top-level name, as a use: for when no code uses the name."""
        statements = self.file.binding(name)
        span = self.file.heading(statements[-1]) if statements else Span(self.file.source, 1, 1, 1, 1)
        return Use(self.file, Place(span.line, span.column - 1, span.line, span.end_column - 1), name)


def _unimported(path: str) -> str:
    """Make a name that no imported module has."""
    name = path.replace(".", "_")
    while name in sys.modules:
        name += "_"
    return name


@frozen(eq=False)
class Closure:
    """A function that is defined inside another one. `free` are the variables of that one that it uses."""

    module: Module
    node: ast.FunctionDef | ast.AsyncFunctionDef
    qualname: str
    free: list[tuple[str, Any]] = field(factory=list)
    defaults: list[Any] = field(factory=list)
    kwdefaults: list[tuple[str, Any]] = field(factory=list)
