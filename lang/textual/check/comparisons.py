"""Comparisons: `==` and `!=` of equal types, order of ordered types, `in`, and comparisons that are never true
(E0303)."""

from __future__ import annotations

from pybuild.lang.textual import forms, tree
from pybuild.lang.textual.check.conformity import as_text, conform
from pybuild.lang.textual.check.visit import At
from pybuild.lang.textual.check.wanted import Expectation
from pybuild.lang.textual.problems import types as problems
from pybuild.lang.textual.problems.excerpt import excerpt, named
from pybuild.lang.textual.types import (
    BOOL,
    CHECKED,
    DURATION,
    ERROR,
    INT,
    SIZE,
    STR,
    VERSION,
    ListOf,
    Literals,
    MapOf,
    Type,
    accepts,
    is_text,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from pybuild.lang.source import Span

OPERATORS: Final = frozenset(("==", "!=", "<", "<=", ">", ">=", "in", "not in"))

_EQUAL: Final = frozenset(("==", "!="))
_WITHIN: Final = frozenset(("in", "not in"))
_ORDERED: Final = (INT, DURATION, SIZE, VERSION)
_COMPARED: Final = (INT, BOOL, DURATION, SIZE)


def compare(expr: tree.Binary, left: Type, right: Type, at: At) -> None:
    """Report a comparison that isn't defined, or that always has the same result."""
    if ERROR in (left, right):
        return
    if expr.op in _WITHIN:
        _contained(expr, left, right, at)
    elif expr.op in _EQUAL:
        _equal(expr, left, right, at)
    else:
        _ordered(expr, left, right, at)


def _equal(expr: tree.Binary, left: Type, right: Type, at: At) -> None:
    if _comparable(left) and (accepts(left, right) or accepts(right, left)):
        if is_text(left):
            _texts(expr, left, right, at)
    elif isinstance(left, Literals) and isinstance(right, Literals):
        at.report(problems.never_common(expr.span, left, right, negated=expr.op == "!="))
    else:
        _undefined(expr, left, right, at)


def _comparable(type: Type) -> bool:
    """Tell whether values of a type can be compared for equality: states, options and targets can't."""
    while isinstance(type, ListOf | MapOf):
        type = type.item
    return type == ERROR or type in _COMPARED or is_text(type)


def _texts(expr: tree.Binary, left: Type, right: Type, at: At) -> None:
    """Check a known text that is compared with a union or a checked string."""
    for subject, type, other, given in (
        (expr.left, left, expr.right, right),
        (expr.right, right, expr.left, left),
    ):
        value = at.checking.constants.get(other)
        if given != STR or not isinstance(value, str):
            continue
        if isinstance(type, Literals) and value not in type.options:
            negated = expr.op == "!="
            place = _declared(subject, at)
            at.report(
                problems.never_equal(
                    other.span, named(subject.span), f'"{value}"', type.options, place, negated=negated
                )
            )
        elif type in CHECKED:
            conform(other, given, at.wanting(Expectation(type)))


def _declared(expr: tree.Expr, at: At) -> Span | None:
    """Return the place that declares which values a name can have."""
    while isinstance(expr, tree.Parens):
        expr = expr.value
    binding = at.checking.bindings.get(expr)
    if binding is None or not isinstance(binding.node, tree.Param | tree.Parameter):
        return None
    return binding.node.type.span


def _contained(expr: tree.Binary, left: Type, right: Type, at: At) -> None:
    if isinstance(right, ListOf):
        if _comparable(left) and (accepts(right.item, left) or accepts(left, right.item)):
            _one_of(expr, left, right.item, at)
        else:
            _undefined(expr, left, right, at)
    elif isinstance(right, MapOf) or is_text(right):
        if not is_text(left):
            _undefined(expr, left, right, at)
    else:
        at.report(problems.not_container(expr.right.span, right))


def _one_of(expr: tree.Binary, left: Type, item: Type, at: At) -> None:
    """Check `in` with a list that has no item in common with the left side's values."""
    constants, negated = at.checking.constants, expr.op == "not in"
    if isinstance(left, Literals):
        items = constants.get(expr.right)
        if (
            isinstance(items, tuple)
            and items
            and not set(left.options) & {one for one in items if isinstance(one, str)}
        ):
            shown = f'"{items[0]}"' if len(items) == 1 else "one of these"
            place = _declared(expr.left, at)
            span = expr.right.span
            if isinstance(expr.right, tree.List) and len(expr.right.items) == 1:
                span = expr.right.items[0].span
            at.report(
                problems.never_equal(span, named(expr.left.span), shown, left.options, place, negated=negated)
            )
    elif isinstance(item, Literals):
        value = constants.get(expr.left)
        if isinstance(value, str) and value not in item.options:
            subject = f"an item of {named(expr.right.span)}"
            at.report(
                problems.never_equal(
                    expr.left.span, subject, f'"{value}"', item.options, None, negated=negated
                )
            )


def _ordered(expr: tree.Binary, left: Type, right: Type, at: At) -> None:
    if left == right and left in _ORDERED:
        return
    if not (is_text(left) and is_text(right)):
        _undefined(expr, left, right, at)
    elif VERSION not in (left, right):
        at.report(problems.strings_ordered(expr.op_span, expr.op, _as_versions(expr, at), expr.span))
    else:
        other, given = (expr.left, left) if right == VERSION else (expr.right, right)
        conform(other, given, at.wanting(Expectation(VERSION)))


def _as_versions(expr: tree.Binary, at: At) -> str:
    """Return the comparison as one of versions, "" if a side is known to be no version."""
    for side in (expr.left, expr.right):
        value = at.checking.constants.get(side)
        if isinstance(value, str) and forms.version(value) is not None:
            return ""
    left, right = excerpt(expr.left.span), excerpt(expr.right.span)
    return f"version({left}) {expr.op} version({right})" if left and right else ""


def _undefined(expr: tree.Binary, left: Type, right: Type, at: At) -> None:
    write = None
    for mine, given, other, other_given in (
        (expr.right, right, expr.left, left),
        (expr.left, left, expr.right, right),
    ):
        if is_text(given) and other_given == INT:
            digits = at.checking.constants.get(mine)
            if (
                isinstance(mine, tree.String)
                and isinstance(digits, str)
                and digits.isascii()
                and digits.isdigit()
            ):
                write = (mine.span, str(int(digits)))
            elif as_text(other):
                write = (other.span, as_text(other))
            break
    at.report(problems.undefined_operator(expr.op_span, expr.op, left, right, write=write))
