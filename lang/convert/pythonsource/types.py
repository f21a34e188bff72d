"""Converts types to Python annotations, and to types of params."""

from __future__ import annotations

from pybuild.lang.convert.pythonsource import literals
from pybuild.lang.convert.pythonsource.making import api
from pybuild.lang.textual import tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_OWN: Final = {
    **{name: name for name in ("str", "int", "bool")},
    **{name: api(name.capitalize()) for name in ("duration", "size", "version", "platform")},
    **{name: api(name.capitalize()) for name in ("path", "ref", "state", "option", "target")},
}
_TEXTS: Final = frozenset(("path", "ref", "platform", "version"))
"""Types for which a plain text may be passed."""


def annotation(type: tree.Type) -> str:
    """Return the annotation of a parameter or a result."""
    if isinstance(type, tree.TypeLits):
        return f"Literal[{', '.join(map(_option, type.options))}]"
    if isinstance(type, tree.TypeOf):
        inner = annotation(type.argument)
        return f"list[{inner}]" if type.name.name == "list" else f"dict[str, {inner}]"
    return "str" if type.name in _TEXTS else _OWN.get(type.name, type.name)


def of_param(type: tree.Type) -> str:
    """Return the type of a param. Its choices are listed elsewhere; choices of items are left out."""
    if isinstance(type, tree.TypeLits):
        return "str"
    if isinstance(type, tree.TypeOf):
        inner = of_param(type.argument)
        return f"list[{inner}]" if type.name.name == "list" else f"dict[str, {inner}]"
    return _OWN.get(type.name, type.name)


def choices(type: tree.Type) -> list[str]:
    return [*map(_option, type.options)] if isinstance(type, tree.TypeLits) else []


def leaves_choices_out(type: tree.Type) -> bool:
    """True if the items of a list or a map have choices."""
    while isinstance(type, tree.TypeOf):
        type = type.argument
        if isinstance(type, tree.TypeLits):
            return True
    return False


def _option(option: tree.String) -> str:
    return literals.string("".join(part.value for part in option.parts if isinstance(part, tree.Text)))


def is_literal(node: tree.Node) -> bool:
    """True if the annotation of a type needs `typing.Literal`."""
    return isinstance(node, tree.TypeLits)
