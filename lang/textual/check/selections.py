"""Items of lists and maps, `x[i]` and `m["k"]`, and instances of targets, `T[axis=value]`."""

from __future__ import annotations

from pybuild.lang.textual import tree
from pybuild.lang.textual.check.visit import At, Visit
from pybuild.lang.textual.check.wanted import Expectation
from pybuild.lang.textual.problems import calls, names
from pybuild.lang.textual.problems import types as problems
from pybuild.lang.textual.problems.excerpt import excerpt, named
from pybuild.lang.textual.types import ERROR, INT, PLATFORM, STR, TARGET, ListOf, MapOf, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.source import Span
    from pybuild.lang.textual.check.exports import AxisType
    from pybuild.lang.textual.check.scope import Binding

_PLATFORM = "platform"
"""The axis that every target has."""


def index(expr: tree.Index, at: At) -> Visit:
    value = yield expr.value, at.wanting(None)
    if isinstance(value, ListOf):
        yield expr.index, at.wanting(Expectation(INT, what="an index"))
        return _item(expr, value.item, at)
    if isinstance(value, MapOf):
        yield expr.index, at.wanting(Expectation(STR, what="a key"))
        return _item(expr, value.item, at)
    yield expr.index, at.wanting(None)
    if value != ERROR:
        at.report(problems.not_indexable(expr.value.span, value, _select_help(expr, value, at)))
    return ERROR


def _select_help(expr: tree.Index, value: Type, at: At) -> str:
    binding = at.checking.bindings.get(expr.value)
    if value != TARGET:
        return ""
    axis = binding.axes[0].name if binding is not None and binding.axes else "axis"
    target, index = excerpt(expr.value.span), excerpt(expr.index.span)
    return f"write `{target}[{axis}={index}]`" if target and index else "name the axis: `T[axis=value]`"


def _item(expr: tree.Index, item: Type, at: At) -> Type:
    """Return the type of an item, ERROR if the list or map is known not to have it."""
    constants = at.checking.constants
    items, key = constants.get(expr.value), constants.get(expr.index)
    if isinstance(items, tuple) and type(key) is int:
        if not -len(items) <= key < len(items):
            at.report(problems.no_index(expr.index.span, key, len(items), _definition_place(expr.value, at)))
            return ERROR
        constants[expr] = items[key]
    elif isinstance(items, dict) and isinstance(key, str):
        if key not in items:
            at.report(problems.no_key(expr.index.span, key, list(items), _definition_place(expr.value, at)))
            return ERROR
        value = items[key]
        if value is not None:
            constants[expr] = value
    return item


def _definition_place(expr: tree.Expr, at: At) -> Span:
    """Return the place where a list or map is written."""
    binding = at.checking.bindings.get(expr)
    return (
        binding.node.value.span if binding is not None and isinstance(binding.node, tree.Let) else expr.span
    )


def select(expr: tree.Select, at: At) -> Visit:
    value = yield expr.value, at.wanting(None)
    if value not in (TARGET, ERROR):
        at.report(problems.not_selectable(expr.value.span, value))
    target = _target(expr.value, at) if value == TARGET else None
    axes = {axis.name: axis for axis in target.axes or ()} if target is not None else {}
    unknown = target is None or target.axes is None
    seen: dict[str, Span] = {}
    for argument in expr.arguments:
        name = argument.name
        if name is None:
            yield argument.value, at.wanting(None)
            continue
        if name.name in seen:
            at.report(calls.given_twice(name.name, name.span, seen[name.name]))
        seen.setdefault(name.name, name.span)
        axis = axes.get(name.name)
        wanted = (
            Expectation(PLATFORM)
            if name.name == _PLATFORM
            else Expectation(axis.type)
            if axis is not None
            else None
        )
        value_type = yield argument.value, at.wanting(wanted)
        if axis is None and name.name != _PLATFORM and not unknown:
            at.report(
                names.unknown_axis(
                    name.name,
                    name.span,
                    named(expr.value.span),
                    [*axes, _PLATFORM],
                    target.span if target is not None else None,
                )
            )
        elif axis is not None and value_type != ERROR:
            _check_value(expr, argument.value, axis, at)
    return TARGET if value == TARGET else ERROR


def _target(expr: tree.Expr, at: At) -> Binding | None:
    """Return the target of a selection, following names."""
    while isinstance(expr, tree.Parens | tree.Select):
        expr = expr.value
    binding = at.checking.bindings.get(expr)
    return binding if binding is not None and binding.kind in ("target", "test") else None


def _check_value(expr: tree.Select, given: tree.Expr, axis: AxisType, at: At) -> None:
    value = at.checking.constants.get(given)
    if axis.values is None or not isinstance(value, str | int | bool):
        return
    if any(type(one) is type(value) and one == value for one in axis.values):
        return
    values = list(dict.fromkeys(map(_literal, axis.values)))
    target = named(expr.value.span)
    at.report(names.unknown_axis_value(_literal(value), given.span, axis.name, target, values, axis.span))


def _literal(value: str | int | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)
