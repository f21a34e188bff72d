"""The handlers of expressions, by kind.

A handler returns the value, or a generator of `steps.Steps`. Kinds in `PASSING` pass the wanted type on to their
parts, so that a failed conversion is reported at the part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pybuild.lang import recipe
from pybuild.lang.diagnostics import SourceError
from pybuild.lang.textual import tree
from pybuild.lang.textual.expand import limits, operators
from pybuild.lang.textual.expand.calls import call
from pybuild.lang.textual.expand.conversions import convert
from pybuild.lang.textual.expand.frame import Compilation, DeferredValue, Frame
from pybuild.lang.textual.expand.members import member
from pybuild.lang.textual.expand.steps import Steps, ValueRequest
from pybuild.lang.textual.expand.values import (
    VCS,
    Choice,
    Dollar,
    Duration,
    ModuleValue,
    Platform,
    Size,
    TargetValue,
    Value,
    Version,
    text_of,
)
from pybuild.lang.textual.problems import types as problems
from pybuild.lang.textual.types import VERSION, ListOf, MapOf, Type

if TYPE_CHECKING:
    from typing import Any, Final

    Handler = Callable[[Any, Frame, Compilation, Type | None], Value | Steps[Value]]


def _name(
    expr: tree.Name, frame: Frame, compilation: Compilation, wanted: Type | None
) -> Value | Steps[Value]:
    value: Value | DeferredValue | None = frame.find(expr.name)
    if value is None:
        value = compilation.module_value(frame.module, expr.name, frame, expr.span)
    if value is None:
        return _builtin(expr, frame, compilation)
    return _later(value) if isinstance(value, DeferredValue) else value


def _later(later: DeferredValue) -> Steps[Value]:
    value = yield ValueRequest(later.expr, later.frame, later.wanted)
    return later.finish(value)


def _builtin(expr: tree.Name, frame: Frame, compilation: Compilation) -> Value:
    match expr.name:
        case "scratch":
            return recipe.Scratch(expr.span)
        case "context":
            return compilation.context(frame.module)
        case "platform":
            return Platform(frame.platform)
        case "build_platform":
            return Platform(compilation.options.build_platform)
        case "vcs":
            return VCS
        case "this" if frame.recording is not None and frame.recording.state is not None:
            return frame.recording.state
    raise LookupError(f"{expr.span.place}: nothing is bound to {expr.name}")


def _string(
    expr: tree.String, frame: Frame, compilation: Compilation, wanted: Type | None
) -> Value | Steps[Value]:
    if any(isinstance(part, tree.Interpolation) for part in expr.parts):
        return _interpolated(expr, frame, compilation)
    return limits.string(operators.join(*map(_literal, expr.parts)), expr.span, compilation)


def _interpolated(expr: tree.String, frame: Frame, compilation: Compilation) -> Steps[Value]:
    strings: list[str] = []
    size = 0
    for part in expr.parts:
        if isinstance(part, tree.Interpolation):
            strings.append(text_of((yield ValueRequest(part.value, frame))))
        else:
            strings.append(_literal(part))
        size += len(strings[-1])
        limits.length(size, expr.span, compilation)
    return limits.string(operators.join(*strings), expr.span, compilation)


def _literal(part: tree.Text | tree.Interpolation) -> str:
    if not isinstance(part, tree.Text):
        raise TypeError("an interpolation is no literal")
    if not part.variables:
        return part.value
    pieces: list[str | recipe.Variable] = []
    at = 0
    for variable in part.variables:
        pieces.append(part.value[at : variable.start])
        pieces.append(recipe.Variable(variable.name, variable.text, variable.span))
        at = variable.start + len(variable.text)
    pieces.append(part.value[at:])
    return Dollar(tuple(piece for piece in pieces if piece))


def _number(expr: tree.Number, frame: Frame, compilation: Compilation, wanted: Type | None) -> Value:
    value = limits.integer(expr.value, expr.span, compilation)
    return Duration(value) if expr.kind == "duration" else Size(value) if expr.kind == "size" else value


def _bool(expr: tree.Bool, frame: Frame, compilation: Compilation, wanted: Type | None) -> Value:
    return expr.value


def _parens(expr: tree.Parens, frame: Frame, compilation: Compilation, wanted: Type | None) -> Steps[Value]:
    return (yield ValueRequest(expr.value, frame, wanted))


def _list(expr: tree.List, frame: Frame, compilation: Compilation, wanted: Type | None) -> Steps[Value]:
    limits.count(len(expr.items), expr.span, compilation)
    wanted = wanted.item if isinstance(wanted, ListOf) else wanted
    out: list[Value] = []
    for item in expr.items:
        value = yield ValueRequest(item, frame, wanted)
        out.append(value)
    return tuple(out)


def _map(expr: tree.Map, frame: Frame, compilation: Compilation, wanted: Type | None) -> Steps[Value]:
    limits.count(len(expr.entries), expr.span, compilation)
    out: dict[str, Value] = {}
    for entry in expr.entries:
        yield from _enter(out, entry, frame, wanted)
    return out


def _enter(out: dict[str, Value], entry: tree.Entry, frame: Frame, wanted: Type | None) -> Steps[None]:
    key = yield ValueRequest(entry.key, frame)
    out[text_of(key)] = yield ValueRequest(
        entry.value, frame, wanted.item if isinstance(wanted, MapOf) else None
    )


def _list_comp(
    expr: tree.ListComp, frame: Frame, compilation: Compilation, wanted: Type | None
) -> Steps[Value]:
    item_type = wanted.item if isinstance(wanted, ListOf) else wanted
    out: list[Value] = []

    def visit(scope: Frame) -> Steps[None]:
        out.append((yield ValueRequest(expr.item, scope, item_type)))
        limits.count(len(out), expr.span, compilation)

    yield from each(expr.axes, frame, compilation, visit)
    return tuple(out)


def _map_comp(
    expr: tree.MapComp, frame: Frame, compilation: Compilation, wanted: Type | None
) -> Steps[Value]:
    out: dict[str, Value] = {}

    def visit(scope: Frame) -> Steps[None]:
        yield from _enter(out, expr.entry, scope, wanted)
        limits.count(len(out), expr.span, compilation)

    yield from each(expr.axes, frame, compilation, visit)
    return out


def each(
    axes: tuple[tree.Axis, ...],
    frame: Frame,
    compilation: Compilation,
    visit: Callable[[Frame], Steps[None]],
) -> Steps[None]:
    """Visit the scopes of a `for … if …`, in order."""
    waiting = [(0, frame.inner())]
    while waiting:
        at, scope = waiting.pop()
        if at == len(axes):
            yield from visit(scope)
            continue
        axis = axes[at]
        if isinstance(axis, tree.AxisIf):
            if (yield ValueRequest(axis.condition, scope)) is True:
                waiting.append((at + 1, scope))
            continue
        values = yield ValueRequest(axis.values, scope)
        scopes = []
        for value in values if isinstance(values, tuple) else ():
            compilation.count(axis.span)
            inner = scope.inner()
            inner.bind(axis.name.name, value)
            scopes.append((at + 1, inner))
        # The stack pops the first scope first.
        waiting.extend(reversed(scopes))


def _ternary(expr: tree.Ternary, frame: Frame, compilation: Compilation, wanted: Type | None) -> Steps[Value]:
    condition = yield ValueRequest(expr.condition, frame)
    return (yield ValueRequest(expr.then if condition is True else expr.otherwise, frame, wanted))


def _binary(expr: tree.Binary, frame: Frame, compilation: Compilation, wanted: Type | None) -> Steps[Value]:
    left = yield ValueRequest(expr.left, frame)
    if expr.op in ("and", "or") and left is (expr.op == "or"):
        return left
    right = yield ValueRequest(expr.right, frame)
    if expr.op in ("and", "or"):
        return right
    if expr.op in operators.ORDERS and isinstance(left, Version) != isinstance(right, Version):
        # A string that is compared with a version is read as one.
        left = convert(left, VERSION, expr.left, frame, compilation)
        right = convert(right, VERSION, expr.right, frame, compilation)
    return operators.binary(expr.op, left, right, expr.span, compilation)


def _unary(expr: tree.Unary, frame: Frame, compilation: Compilation, wanted: Type | None) -> Steps[Value]:
    value = yield ValueRequest(expr.operand, frame)
    if expr.op == "not":
        return value is not True
    return operators.negative(value, expr.span, compilation) if expr.op == "-" else value


def _attribute(
    expr: tree.Attribute, frame: Frame, compilation: Compilation, wanted: Type | None
) -> Steps[Value]:
    value = yield ValueRequest(expr.value, frame)
    if isinstance(value, ModuleValue):
        member_value = compilation.module_value(value.module, expr.name.name, frame, expr.span)
        if member_value is None:
            raise LookupError(f"{expr.span.place}: the module has no {expr.name.name}")
        return (yield from _later(member_value)) if isinstance(member_value, DeferredValue) else member_value
    return member(value, expr.name.name, expr.span, compilation)


def _index(expr: tree.Index, frame: Frame, compilation: Compilation, wanted: Type | None) -> Steps[Value]:
    value = yield ValueRequest(expr.value, frame)
    index = yield ValueRequest(expr.index, frame)
    if isinstance(value, Mapping):
        key = text_of(index)
        if key not in value:
            raise SourceError(problems.no_key(expr.index.span, key, list(value), expr.value.span))
        return value[key]
    if not isinstance(value, tuple | str) or not isinstance(index, int):
        raise TypeError(f"{expr.span.place}: {type(value).__name__} has no items")
    if not -len(value) <= index < len(value):
        raise SourceError(problems.no_index(expr.index.span, index, len(value), expr.value.span))
    return value[index]


def _select(expr: tree.Select, frame: Frame, compilation: Compilation, wanted: Type | None) -> Steps[Value]:
    target = yield ValueRequest(expr.value, frame)
    if not isinstance(target, TargetValue):
        raise TypeError(f"{expr.span.place}: {type(target).__name__} has no instances")
    choices = []
    for argument in expr.arguments:
        value = yield ValueRequest(argument.value, frame)
        axis = argument.name.name if argument.name is not None else ""
        choices.append(Choice(axis, value, argument.value.span))
    return compilation.select(target, tuple(choices), frame, expr.span)


HANDLERS: Final[Mapping[type[tree.Expr], Handler]] = {
    tree.Name: _name,
    tree.String: _string,
    tree.Number: _number,
    tree.Bool: _bool,
    tree.Parens: _parens,
    tree.List: _list,
    tree.Map: _map,
    tree.ListComp: _list_comp,
    tree.MapComp: _map_comp,
    tree.Ternary: _ternary,
    tree.Binary: _binary,
    tree.Unary: _unary,
    tree.Attribute: _attribute,
    tree.Call: call,
    tree.Index: _index,
    tree.Select: _select,
}

PASSING: Final = (tree.Parens, tree.List, tree.Map, tree.ListComp, tree.MapComp, tree.Ternary)
