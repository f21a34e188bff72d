"""Targets where one state is needed: targets that certainly have several instances are reported (E0503). If their
number depends on params or on a header's conditions, the expansion counts them."""

from __future__ import annotations

import json
from math import prod

from pybuild.lang.textual import tree
from pybuild.lang.textual.problems.expansion import several_instances
from pybuild.lang.textual.types import STATE, TARGET, ListOf, MapOf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybuild.lang.textual.check.checking import Checking
    from pybuild.lang.textual.check.scope import Binding


def check_instances(node: tree.Node, checking: Checking) -> None:
    """Check the expressions of a statement or a call that stand for a state."""
    for place in _places(node, checking):
        for expr in _arms(place):
            if checking.types.get(expr) == TARGET:
                _check(expr, checking)


def _places(node: tree.Node, checking: Checking) -> Iterator[tree.Expr]:
    """Yield the expressions that must be states."""
    if isinstance(node, tree.From | tree.Copy):
        if node.state is not None:
            yield node.state
    elif isinstance(node, tree.Return):
        yield node.value
    elif isinstance(node, tree.Call):
        callee = checking.callees.get(node)
        parameters = callee.parameters if callee is not None else ()
        by_name = {one.name: one for one in parameters}
        for at, argument in enumerate(node.arguments):
            if argument.name is not None:
                parameter = by_name.get(argument.name.name)
            else:
                many = parameters[-1] if parameters and parameters[-1].many else None
                parameter = parameters[at] if at < len(parameters) else many
            if parameter is not None and parameter.type in (STATE, ListOf(STATE), MapOf(STATE)):
                yield argument.value


def _arms(expr: tree.Expr) -> Iterator[tree.Expr]:
    """Yield the possible results of an expression: arms, items of lists, values of maps."""
    stack = [expr]
    while stack:
        current = stack.pop()
        if isinstance(current, tree.Parens):
            stack.append(current.value)
        elif isinstance(current, tree.Ternary):
            stack += (current.otherwise, current.then)
        elif isinstance(current, tree.List):
            stack.extend(reversed(current.items))
        elif isinstance(current, tree.Map):
            stack.extend(entry.value for entry in reversed(current.entries))
        else:
            yield current


def _check(expr: tree.Expr, checking: Checking) -> None:
    selected: dict[str, str] = {}
    base = expr
    if isinstance(base, tree.Select):
        selected = {one.name.name: _text(one.value) for one in base.arguments if one.name is not None}
        base = base.value
    binding = checking.bindings.get(base)
    target = binding.node if binding is not None else None
    if binding is None or not isinstance(target, tree.Target) or not binding.axes:
        return
    if any(isinstance(axis, tree.AxisIf) for axis in target.axes):
        return
    values = {axis.name: axis.values for axis in binding.axes if axis.name not in selected}
    counts = [len(known) for known in values.values() if known is not None]
    if len(counts) != len(values) or prod(counts) <= 1:
        return
    title = _text(base)
    chosen, others = _choice(binding, selected, title)
    checking.report(several_instances(title, prod(counts), target, expr.span, [chosen], others))


def _choice(binding: Binding, selected: dict[str, str], title: str) -> tuple[str, list[str]]:
    """Return a selection of one instance, by the last value of each axis, and the other values if only one axis is
    open."""
    chosen, others = [], []
    left = [axis for axis in binding.axes or () if axis.name not in selected]
    for axis in binding.axes or ():
        if axis.name in selected:
            chosen.append(f"{axis.name}={selected[axis.name]}")
            continue
        known = [_literal(value) for value in axis.values or ()]
        chosen.append(f"{axis.name}={known[-1]}")
        if len(left) == 1:
            others = known[:-1]
    return f"{title}[{', '.join(chosen)}]", others


def _literal(value: str | int | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)


def _text(expr: tree.Expr) -> str:
    span = expr.span
    if span.line != span.end_line:
        return "…"
    return span.source.line(span.line)[span.column - 1 : span.end_column - 1]
