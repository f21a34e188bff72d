"""Finds what compiled code refers to by name: globals with the attributes read from them, and imported modules.

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
class ImportStatement:
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


def references(code: types.CodeType) -> Iterator[Name | ImportStatement]:
    """Yield the references of the code and of the functions and classes in it, in order."""
    import dis

    instructions = [
        instruction for instruction in dis.get_instructions(code) if instruction.opname not in _SILENT
    ]
    stored: set[str] = set()
    for at, instruction in enumerate(instructions):
        # A name stored before in the same code, as in a class body, is no global.
        if instruction.opname in _STORES:
            stored.add(instruction.argval)
        elif instruction.opname in _LOADS and not (
            instruction.opname == "LOAD_NAME" and instruction.argval in stored
        ):
            yield Name(
                instruction.argval, tuple(_attributes(instructions, at + 1)), _place(instruction, code)
            )
        elif instruction.opname == "IMPORT_NAME":
            # The instruction before loads the names of a `from … import`, or None.
            names = tuple(instructions[at - 1].argval or ())
            yield ImportStatement(
                instruction.argval, _level(instructions, at), names, _place(instruction, code)
            )
        elif isinstance(instruction.argval, types.CodeType):
            yield from references(instruction.argval)


def variables(code: types.CodeType) -> Iterator[Name]:
    """Yield the uses of variables of enclosing functions."""
    import dis

    for instruction in dis.get_instructions(code):
        if (
            instruction.opname.startswith(("LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"))
            and instruction.positions
        ):
            place = instruction.positions
            if place.lineno is not None:
                end = place.end_lineno or place.lineno
                yield Name(
                    instruction.argval,
                    (),
                    Place(place.lineno, place.col_offset or 0, end, place.end_col_offset or 0),
                )
        elif isinstance(instruction.argval, types.CodeType):
            yield from variables(instruction.argval)


def _attributes(instructions: list[dis.Instruction], at: int) -> Iterator[str]:
    """Yield the attributes that the instructions at `at` read from the value before."""
    for instruction in instructions[at:]:
        if instruction.opname not in _ATTRIBUTES:
            return
        yield instruction.argval


def _level(instructions: list[dis.Instruction], at: int) -> int:
    """Return the level of an import: the first of the two constants before the instruction."""
    level = instructions[at - 2].argval if at > 1 else 0
    return level if isinstance(level, int) else 0


def _place(instruction: dis.Instruction, code: types.CodeType) -> Place:
    place = instruction.positions
    if place is None or place.lineno is None:
        return Place(code.co_firstlineno, 0, code.co_firstlineno, 0)
    return Place(
        place.lineno, place.col_offset or 0, place.end_lineno or place.lineno, place.end_col_offset or 0
    )


if TYPE_CHECKING:
    import dis
