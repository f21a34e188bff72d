"""Types of calls that the signature doesn't determine: of functions and methods that take several types."""

from __future__ import annotations

from pybuild.lang.textual import builtins
from pybuild.lang.textual.check.conformity import refuse_option
from pybuild.lang.textual.check.literals import joined
from pybuild.lang.textual.check.visit import At
from pybuild.lang.textual.check.wanted import join
from pybuild.lang.textual.problems import types as problems
from pybuild.lang.textual.types import (
    DURATION,
    ERROR,
    INT,
    OPTION,
    SCALARS,
    SIZE,
    VERSION,
    ListOf,
    Literals,
    MapOf,
    Type,
    is_text,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from pybuild.lang.textual import tree
    from pybuild.lang.textual.builtins import Signature
    from pybuild.lang.textual.check.arguments import ArgumentTypes

_ORDERED: Final = (INT, DURATION, SIZE, VERSION)


def result(signature: Signature, receiver: Type, given: ArgumentTypes, at: At) -> Type:
    """Return the type of a call. `receiver` is the type of a method's value, ERROR for a function."""
    if signature in _METHODS:
        return _METHODS[signature](receiver, given)
    rule = _RULES.get(signature.name) if builtins.FUNCTIONS.get(signature.name) is signature else None
    if rule is not None:
        first = next(iter(given.values()), None)
        if first is None:
            return signature.returns if signature.returns != builtins.ANY else ERROR
        return rule(first[0], first[1], at)
    return signature.returns


def _len(expr: tree.Expr, given: Type, at: At) -> Type:
    if given != ERROR and not (is_text(given) or isinstance(given, ListOf | MapOf)):
        _refuse(expr, given, "a list, a map or a `str`", "what `len` counts", at)
    return INT


def _str(expr: tree.Expr, given: Type, at: At) -> Type:
    if given in SCALARS or given == ERROR or isinstance(given, Literals):
        return builtins.FUNCTIONS["str"].returns
    help = f"for one text write `{joined(expr, given.item)}`" if isinstance(given, ListOf) else ""
    _refuse(expr, given, "a scalar", "what `str` writes", at, help)
    return builtins.FUNCTIONS["str"].returns


def _sorted(expr: tree.Expr, given: Type, at: At) -> Type:
    if given == ERROR:
        return ERROR
    if isinstance(given, ListOf) and (given.item in (ERROR, *_ORDERED) or is_text(given.item)):
        return given
    _refuse(expr, given, "a list of strings, numbers or versions", "what `sorted` orders", at)
    return ERROR


def _refuse(expr: tree.Expr, given: Type, wanted: str, what: str, at: At, help: str = "") -> None:
    if given == OPTION:
        refuse_option(expr, at)
    else:
        at.report(problems.mismatch(expr.span, given, wanted, what, help=help))


def _values(receiver: Type, given: ArgumentTypes) -> Type:
    return ListOf(receiver.item) if isinstance(receiver, MapOf) else ERROR


def _get(receiver: Type, given: ArgumentTypes) -> Type:
    if not isinstance(receiver, MapOf):
        return ERROR
    _, default = given.get("default", (None, ERROR))
    return join(receiver.item, default) or receiver.item


_RULES: Final[dict[str, Callable[[tree.Expr, Type, At], Type]]] = {
    "len": _len,
    "str": _str,
    "sorted": _sorted,
}
_METHODS: Final[dict[Signature, Callable[[Type, ArgumentTypes], Type]]] = {
    method: rule
    for method in builtins.METHODS["map"]
    for name, rule in (("values", _values), ("get", _get))
    if method.name == name
}
