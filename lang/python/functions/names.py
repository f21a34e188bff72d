"""Resolves names: attributes by their path, functions beneath their decorators."""

from __future__ import annotations

import ast
import types

from pybuild.lang.python.functions.files import Definition

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Empty:
    """Stands for a variable without a value."""


EMPTY = Empty()


def contents(cell: types.CellType) -> object:
    """Return the value of a closure's cell, `EMPTY` if it has none."""
    try:
        return cell.cell_contents
    except ValueError:
        return EMPTY


def undecorated_of(function: types.FunctionType) -> types.FunctionType | None:
    """Return the top-level function whose decorator returned `function`, None if there is none."""
    for cell in function.__closure__ or ():
        value = contents(cell)
        if isinstance(value, types.FunctionType) and value.__globals__.get(value.__name__) is function:
            return value
    return None


def at_path(namespace: dict[str, Any], path: str) -> object:
    """Return the value at a dotted path, None if there is none."""
    first, *rest = path.split(".")
    value = namespace.get(first)
    for name in rest:
        value = getattr(value, name, None)
    return value


def title(statement: ast.stmt) -> str:
    """Return the name that messages use for the code of a statement."""
    if isinstance(statement, Definition):
        return statement.name
    target = getattr(statement, "targets", [None])[0] or getattr(statement, "target", None)
    return target.id if isinstance(target, ast.Name) else "the module"
