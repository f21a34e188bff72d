"""Literals, comprehensions and `if … else`: expressions that pass the expected type to their parts."""

from __future__ import annotations

from pybuild.lang.textual import tree
from pybuild.lang.textual.check.conformity import as_text, refuse_option
from pybuild.lang.textual.check.scope import Binding
from pybuild.lang.textual.check.visit import At, Visit
from pybuild.lang.textual.check.wanted import Expectation, join
from pybuild.lang.textual.problems import types as problems
from pybuild.lang.textual.problems.excerpt import excerpt
from pybuild.lang.textual.types import (
    BOOL,
    DURATION,
    ERROR,
    INT,
    OPTION,
    SCALARS,
    SIZE,
    STATE,
    STR,
    ListOf,
    Literals,
    MapOf,
    Type,
    is_text,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from typing import Final

    from pybuild.lang.source import Span
    from pybuild.lang.textual.check.scope import Constant, Scope

_NUMBERS: Final = {"int": INT, "duration": DURATION, "size": SIZE}
_MOST: Final = 1000
"""The most items of a list or map, or characters of a string, that are kept as a constant."""

CONDITION: Final = Expectation(BOOL, what="a condition")


def string(expr: tree.String, at: At) -> Visit:
    texts: list[str] = []
    for part in expr.parts:
        if isinstance(part, tree.Text):
            texts.append(part.value)
            continue
        part_type = yield part.value, at.wanting(None)
        check_inserted(part.value, part_type, at)
        value = at.checking.constants.get(part.value)
        if isinstance(value, str):
            texts.append(value)
    if len(texts) == len(expr.parts) and sum(map(len, texts)) <= _MOST:
        at.checking.constants[expr] = "".join(texts)
    return STR


def check_inserted(expr: tree.Expr, given: Type, at: At, *, lists: bool = False) -> None:
    """Check that a value can be inserted as text into a string, or with `lists` into a script."""
    if given == ERROR or isinstance(given, Literals) or given in SCALARS:
        return
    if isinstance(given, ListOf):
        item = given.item
        if item == ERROR or isinstance(item, Literals) or item in SCALARS:
            if not lists:
                at.report(problems.inserted_list(expr.span, given, joined(expr, item)))
            return
    if given == OPTION:
        refuse_option(expr, at)
    else:
        at.report(problems.inserted(expr.span, given, "a script" if lists else "a string"))


def joined(expr: tree.Expr, item: Type) -> str:
    """Return an expression that joins a list to one text."""
    text = excerpt(expr.span)
    if not text:
        return '", ".join(…)'
    if is_text(item) or item == ERROR:
        return f'", ".join({text})'
    return f'", ".join([str(x) for x in {text}])'


def number(expr: tree.Number, at: At) -> Type:
    if expr.kind == "int":
        at.checking.constants[expr] = expr.value
    return _NUMBERS[expr.kind]


def boolean(expr: tree.Bool, at: At) -> Type:
    at.checking.constants[expr] = expr.value
    return BOOL


def parens(expr: tree.Parens, at: At) -> Visit:
    value_type = yield expr.value, at
    value = at.checking.constants.get(expr.value)
    if value is not None:
        at.checking.constants[expr] = value
    return value_type


def list_(expr: tree.List, at: At) -> Visit:
    wanted = at.wanted.item() if at.wanted is not None else None
    inner = at.wanting(wanted)
    member_type = yield from _each(expr.items, inner)
    constants = at.checking.constants
    if len(expr.items) <= _MOST and all(item in constants for item in expr.items):
        constants[expr] = tuple(constants[item] for item in expr.items)
    return ListOf(member_type)


def _each(items: Sequence[tree.Expr], inner: At) -> Generator[tuple[tree.Expr, At], Type, Type]:
    """Return the common type of items; ERROR if there are none, or none without a mistake."""
    common: Type = ERROR
    first: tree.Expr | None = None
    for item in items:
        type_ = yield item, inner
        if type_ == ERROR:
            continue
        joined = join(common, type_)
        if first is None:
            first = item
        if joined is not None:
            common = joined
        elif inner.wanted is not None:
            common = inner.wanted.type
        else:
            write = as_text(item) if common == STR and type_ in SCALARS else ""
            inner.report(problems.differing_items(first.span, common, item.span, type_, write))
    return common


def map_(expr: tree.Map, at: At) -> Visit:
    wanted = at.wanted.value() if at.wanted is not None else None
    for entry in expr.entries:
        yield entry.key, at.wanting(Expectation(STR, what="a key"))
    value_type = yield from _each([entry.value for entry in expr.entries], at.wanting(wanted))
    _keep_map(expr, at)
    return MapOf(value_type)


def _keep_map(expr: tree.Map, at: At) -> None:
    constants = at.checking.constants
    known: dict[str, Constant | None] = {}
    for entry in expr.entries[: _MOST + 1]:
        key, value = constants.get(entry.key), constants.get(entry.value)
        if not isinstance(key, str):
            return
        known[key] = value
    if len(expr.entries) <= _MOST:
        constants[expr] = known


def list_comp(expr: tree.ListComp, at: At) -> Visit:
    wanted = at.wanted.item() if at.wanted is not None else None
    scope = yield from axes(expr.axes, at)
    member_type = yield expr.item, At(scope, at.checking, wanted)
    return ListOf(member_type)


def map_comp(expr: tree.MapComp, at: At) -> Visit:
    wanted = at.wanted.value() if at.wanted is not None else None
    scope = yield from axes(expr.axes, at)
    yield expr.entry.key, At(scope, at.checking, Expectation(STR, what="a key"))
    value_type = yield expr.entry.value, At(scope, at.checking, wanted)
    return MapOf(value_type)


def axes(axes: Sequence[tree.Axis], at: At) -> Generator[tuple[tree.Expr, At], Type, Scope]:
    """Bind the names of a comprehension's `for` and `if` in a scope of their own. Returns the scope."""
    scope = at.scope.child()
    for axis in axes:
        if isinstance(axis, tree.AxisIf):
            yield axis.condition, At(scope, at.checking, CONDITION)
            continue
        values_type = yield axis.values, At(scope, at.checking, None)
        item = item_type(axis.values, values_type, at)
        scope.bind(Binding(axis.name.name, "loop", item, axis.name.span, axis), at.report)
    return scope


def item_type(expr: tree.Expr, given: Type, at: At) -> Type:
    """Return the type of the items that `expr` gives to a `for`."""
    if given == ERROR:
        return ERROR
    if isinstance(given, ListOf):
        return given.item
    text = excerpt(expr.span)
    write = (
        f"{text}.keys()" if text and isinstance(given, MapOf) and not isinstance(expr, tree.Binary) else ""
    )
    at.report(problems.not_iterable(expr.span, given, write))
    return ERROR


def ternary(expr: tree.Ternary, at: At) -> Visit:
    yield expr.condition, at.wanting(CONDITION)
    then = yield expr.then, at
    other = yield expr.otherwise, at
    _keep_arm(expr, at)
    both = join(then, other)
    if both is not None:
        return both
    if at.wanted is not None:
        return at.wanted.type
    at.report(
        problems.differing_arms(
            expr.then.span, then, expr.otherwise.span, other, _arm_instead(expr, then, other)
        )
    )
    return ERROR


def _keep_arm(expr: tree.Ternary, at: At) -> None:
    constants = at.checking.constants
    condition = constants.get(expr.condition)
    if isinstance(condition, bool):
        arm = expr.then if condition else expr.otherwise
        if arm in constants:
            constants[expr] = constants[arm]


def _arm_instead(expr: tree.Ternary, then: Type, other: Type) -> tuple[Span, str]:
    for arm, mine, theirs in ((expr.otherwise, other, then), (expr.then, then, other)):
        text = excerpt(arm.span)
        if is_text(theirs) and mine in SCALARS:
            return arm.span, as_text(arm)
        if theirs == STATE and is_text(mine) and text:
            return arm.span, f"image({text})"
        if isinstance(theirs, ListOf) and theirs.item == mine and text:
            return arm.span, f"[{text}]"
    return expr.span, ""
