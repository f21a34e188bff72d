"""Converts calls of built-in functions, sources and options, and places their arguments."""

from __future__ import annotations

from pybuild.lang.convert.pythonsource import shapes
from pybuild.lang.convert.pythonsource.making import DATA, EXPANDED, SOMEWHERE, api
from pybuild.lang.convert.pythonsource.names import member
from pybuild.lang.textual import builtins, tree
from pybuild.lang.textual.fmt.docs import Concat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from pybuild.lang.convert.pythonsource.facts import Facts
    from pybuild.lang.convert.pythonsource.making import At
    from pybuild.lang.textual.builtins import Signature
    from pybuild.lang.textual.fmt.docs import Doc

_PYTHONS: Final = frozenset(("len", "int", "sorted"))
"""Functions that Python has as well."""

_POSITIONAL: Final = {"diff": 2, "host": 2}
"""The number of arguments of a source or an option that are passed without names, if more than one."""


def built_in(node: tree.Call, signature: Signature, at: At) -> Doc:
    name = signature.name
    if signature.kind == "function":
        function = name if name in _PYTHONS else api("text" if name == "str" else name)
        return shapes.call(function, [at.of(one) for one in in_order(node, signature)])
    if signature.open is not None:
        return shapes.call(api(name), [_assigned(one, at) for one in node.arguments])
    return shapes.call(
        api(name), [_argument(at_, one, signature, at) for at_, one in enumerate(node.arguments)]
    )


def in_order(node: tree.Call, signature: Signature) -> list[tree.Expr]:
    """Return the arguments of a function whose parameters have no names in Python, in order."""
    order = [one.name for one in signature.parameters]
    named = [one for one in node.arguments if one.name is not None]
    named.sort(
        key=lambda one: order.index(one.name.name) if one.name and one.name.name in order else len(order)
    )
    return [*(one.value for one in node.arguments if one.name is None), *(one.value for one in named)]


def _argument(place: int, argument: tree.Argument, signature: Signature, at: At) -> Doc:
    value = at.of(argument.value)
    if argument.name is not None:
        return shapes.named(argument.name.name, value)
    parameters = signature.parameters
    many = bool(parameters) and parameters[-1].many
    if many or place < _POSITIONAL.get(signature.name, 1) or place >= len(parameters):
        return value
    return shapes.named(parameters[place].name, value)


def _assigned(argument: tree.Argument, at: At) -> Doc:
    """Return a named argument whose name may be a keyword of Python."""
    name = argument.name.name if argument.name is not None else ""
    value = at.of(argument.value)
    if member(name) == name:
        return shapes.named(name, value)
    return Concat(['**{"', name, '": ', value, "}"])


def dollars(call: tree.Call, facts: Facts) -> int:
    """Return what `$X` means in the arguments."""
    signature = facts.callee(call)
    if signature is None or facts.binding(call.function) is not None:
        return SOMEWHERE
    if signature.kind == "function":
        return DATA
    return EXPANDED if signature in (builtins.OPTIONS["env"], builtins.OPTIONS["workdir"]) else SOMEWHERE
