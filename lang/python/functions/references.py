"""Finds what compiled code refers to by name: globals with the attributes read from them, and imported
modules.

It reads the interpreter's instructions, since the compiler has decided there which names are local.
"""

from __future__ import annotations
import __future__

import ast
import types

from attrs import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

FLAGS = __future__.annotations.compiler_flag
"""Compile annotations as text, since the container doesn't evaluate them: so they refer to nothing."""

_LOADS = frozenset(("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"))
_STORES = frozenset(("STORE_NAME",))
_ATTRIBUTES = frozenset(("LOAD_ATTR", "LOAD_METHOD"))
_SILENT = frozenset(("EXTENDED_ARG", "CACHE", "PUSH_NULL"))


@frozen
class Place:
    """A place in a file. Lines count from 1, columns in bytes from 0; the end is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


@frozen
class Name:
    """A global's name and the attributes that are read from it, one after another."""

    name: str
    attributes: tuple[str, ...]
    place: Place


@frozen
class Imported:
    """An import: `import module` (`names` empty) or `from module import names`; `level` counts the dots."""

    module: str
    level: int
    names: tuple[str, ...]
    place: Place


def compiled(statement: ast.stmt, filename: str) -> types.CodeType:
    """Compile one statement of the top level, at its place in the file."""
    module = ast.Module(body=[statement], type_ignores=[])
    code: types.CodeType = compile(module, filename, "exec", FLAGS, True)
    return code


def references(code: types.CodeType) -> Iterator[Name | Imported]:
    """Yield the references of the code and of the functions and classes in it, in order."""
    import dis

    instructions = [one for one in dis.get_instructions(code) if one.opname not in _SILENT]
    stored: set[str] = set()
    for at, one in enumerate(instructions):
        # A name stored before in the same code, as in a class body, is no global.
        if one.opname in _STORES:
            stored.add(one.argval)
        elif one.opname in _LOADS and not (one.opname == "LOAD_NAME" and one.argval in stored):
            yield Name(one.argval, tuple(_attributes(instructions, at + 1)), _place(one, code))
        elif one.opname == "IMPORT_NAME":
            # The instruction before loads the names of a `from … import`, or None.
            names = tuple(instructions[at - 1].argval or ())
            yield Imported(one.argval, _level(instructions, at), names, _place(one, code))
        elif isinstance(one.argval, types.CodeType):
            yield from references(one.argval)


def variables(code: types.CodeType) -> Iterator[Name]:
    """Yield the uses of variables of enclosing functions."""
    import dis

    for one in dis.get_instructions(code):
        if (
            one.opname.startswith(("LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"))
            and one.positions
        ):
            place = one.positions
            if place.lineno is not None:
                end = place.end_lineno or place.lineno
                yield Name(
                    one.argval, (), Place(place.lineno, place.col_offset or 0, end, place.end_col_offset or 0)
                )
        elif isinstance(one.argval, types.CodeType):
            yield from variables(one.argval)


def _attributes(instructions: list[dis.Instruction], at: int) -> Iterator[str]:
    """Yield the attributes that the instructions at `at` read from the value before."""
    for one in instructions[at:]:
        if one.opname not in _ATTRIBUTES:
            return
        yield one.argval


def _level(instructions: list[dis.Instruction], at: int) -> int:
    """Return the level of an import: the first of the two constants before the instruction."""
    level = instructions[at - 2].argval if at > 1 else 0
    return level if isinstance(level, int) else 0


def _place(one: dis.Instruction, code: types.CodeType) -> Place:
    place = one.positions
    if place is None or place.lineno is None:
        return Place(code.co_firstlineno, 0, code.co_firstlineno, 0)
    return Place(
        place.lineno, place.col_offset or 0, place.end_lineno or place.lineno, place.end_col_offset or 0
    )


if TYPE_CHECKING:
    import dis
