"""Operators (language spec, section 6): the types that each takes, and the type of its result."""

from __future__ import annotations

from pybuild.lang.textual import tree
from pybuild.lang.textual.check import comparisons
from pybuild.lang.textual.check.conformity import as_text
from pybuild.lang.textual.check.visit import At, Visit
from pybuild.lang.textual.check.wanted import Expectation, join
from pybuild.lang.textual.problems import types as problems
from pybuild.lang.textual.problems.excerpt import excerpt
from pybuild.lang.textual.types import (
    BOOL,
    DURATION,
    ERROR,
    INT,
    SCALARS,
    SIZE,
    STR,
    ListOf,
    Type,
    is_text,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_LONGEST: Final = 1000
"""The most characters or items of the result of `+` that are kept as a constant."""

_MEASURES: Final = (DURATION, SIZE)
_ADDED: Final = (INT, *_MEASURES)


def unary(expr: tree.Unary, at: At) -> Visit:
    if expr.op == "not":
        yield expr.operand, at.wanting(Expectation(BOOL, what="what `not` turns round"))
        return BOOL
    operand = yield expr.operand, at.wanting(None)
    if operand == INT:
        value = at.checking.constants.get(expr.operand)
        if isinstance(value, int):
            at.checking.constants[expr] = -value if expr.op == "-" else value
        return INT
    if operand != ERROR:
        at.report(problems.undefined_operator(expr.span, expr.op, operand, None))
    return ERROR


def binary(expr: tree.Binary, at: At) -> Visit:
    if expr.op in ("and", "or"):
        both = at.wanting(Expectation(BOOL, what=f"each side of `{expr.op}`"))
        yield expr.left, both
        yield expr.right, both
        return BOOL
    left = yield expr.left, at.wanting(None)
    right = yield expr.right, at.wanting(None)
    if expr.op in comparisons.OPERATORS:
        comparisons.compare(expr, left, right, at)
        return BOOL
    if ERROR in (left, right):
        return ERROR
    if expr.op == "+":
        return _sum(expr, left, right, at)
    if left == right == INT or (expr.op == "*" and _scaled(left, right)):
        return left if left in _MEASURES else right
    help = ""
    if expr.op == "-" and left == right and left in _MEASURES:
        help = "durations and sizes are compared, added and multiplied by an `int`"
    at.report(problems.undefined_operator(expr.op_span, expr.op, left, right, help))
    return ERROR


def _scaled(left: Type, right: Type) -> bool:
    return (left in _MEASURES and right == INT) or (left == INT and right in _MEASURES)


def _sum(expr: tree.Binary, left: Type, right: Type, at: At) -> Type:
    if left == right and left in _ADDED:
        return left
    if is_text(left) and is_text(right):
        _keep(expr, at)
        return STR
    if isinstance(left, ListOf) and isinstance(right, ListOf):
        joined = join(left, right)
        if joined is not None:
            _keep(expr, at)
            return joined
    _refuse_sum(expr, left, right, at)
    return ERROR


def _keep(expr: tree.Binary, at: At) -> None:
    constants = at.checking.constants
    left, right = constants.get(expr.left), constants.get(expr.right)
    if isinstance(left, str) and isinstance(right, str) and len(left) + len(right) <= _LONGEST:
        constants[expr] = left + right
    if isinstance(left, tuple) and isinstance(right, tuple) and len(left) + len(right) <= _LONGEST:
        constants[expr] = (*left, *right)


def _refuse_sum(expr: tree.Binary, left: Type, right: Type, at: At) -> None:
    for mine, given, other, other_given in (
        (expr.right, right, expr.left, left),
        (expr.left, left, expr.right, right),
    ):
        if is_text(other_given) and given in SCALARS:
            at.report(problems.needs_str_beside(mine.span, given, other.span, as_text(mine)))
            return
        if isinstance(other_given, ListOf) and join(other_given.item, given) is not None:
            text = excerpt(mine.span)
            write = (mine.span, f"[{text}]") if text else None
            at.report(problems.undefined_operator(expr.op_span, "+", left, right, write=write))
            return
    at.report(problems.undefined_operator(expr.op_span, "+", left, right))
