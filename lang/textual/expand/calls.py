"""Calls in expressions: of built-in functions and methods, and of `def`s."""

from __future__ import annotations

from collections.abc import Sequence

from pybuild.lang.textual import builtins, tree
from pybuild.lang.textual.expand import functions, members
from pybuild.lang.textual.expand.arguments import Arguments, ArgumentValue
from pybuild.lang.textual.expand.frame import Compilation, Definition, Frame
from pybuild.lang.textual.expand.params import declared
from pybuild.lang.textual.expand.steps import Steps, ValueRequest
from pybuild.lang.textual.expand.values import Located, ModuleValue, Value, flatten
from pybuild.lang.textual.types import OPTION, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_OWN: Final = (builtins.ANY, builtins.MODE, builtins.OWNER)
"""Types in signatures that accept values of several types."""


def call(expr: tree.Call, frame: Frame, compilation: Compilation, wanted: Type | None) -> Steps[Value]:
    """Return the value of a call. Names like `env` and `host` mean the option if an option is expected."""
    function = expr.function
    if isinstance(function, tree.Name):
        definition = compilation.definition(frame.module, function.name)
        if definition is None:
            return (yield from _built_in(function.name, expr, frame, compilation, wanted))
        arguments = yield from bound(definition, expr, frame)
        return compilation.call(definition, arguments, frame, expr.span)
    if not isinstance(function, tree.Attribute):
        raise TypeError(f"{expr.span.place}: only names are called")
    value = yield ValueRequest(function.value, frame)
    if isinstance(value, ModuleValue):
        definition = _member(value, function, compilation)
        arguments = yield from bound(definition, expr, frame)
        return compilation.call(definition, arguments, frame, expr.span)
    signature = members.method(value, function.name.name)
    passed = yield from _arguments(signature, expr, frame)
    return members.METHODS[signature.name](value, passed, compilation)


def step_call(
    expr: tree.Call, frame: Frame, compilation: Compilation
) -> Steps[tuple[Definition, dict[str, Value]]]:
    """Return the step that a statement calls, and its arguments."""
    function = expr.function
    if isinstance(function, tree.Attribute):
        value = yield ValueRequest(function.value, frame)
        if not isinstance(value, ModuleValue):
            raise TypeError(f"{expr.span.place}: a step is no method")
        definition = _member(value, function, compilation)
    else:
        name = function.name if isinstance(function, tree.Name) else ""
        local = compilation.definition(frame.module, name)
        if local is None:
            raise LookupError(f"{expr.span.place}: no step {name}")
        definition = local
    return definition, (yield from bound(definition, expr, frame))


def _member(value: ModuleValue, function: tree.Attribute, compilation: Compilation) -> Definition:
    definition = compilation.definition(value.module, function.name.name)
    if definition is None:
        raise LookupError(f"{function.span.place}: the module has no {function.name.name}")
    return definition


def bound(definition: Definition, expr: tree.Call, frame: Frame) -> Steps[dict[str, Value]]:
    """Return a value for each parameter. Defaults are evaluated in the function's module and may use earlier
    parameters."""
    exprs: dict[str, tree.Expr] = {}
    parameters = definition.definition.parameters
    for at, argument in enumerate(expr.arguments):
        name = argument.name.name if argument.name is not None else parameters[at].name.name
        exprs[name] = argument.value
    inside = Frame(definition.module, frame.taken_for)
    values: dict[str, Value] = {}
    for parameter in parameters:
        name = parameter.name.name
        value, scope = exprs.get(name), frame
        if value is None:
            value, scope = parameter.default, inside
        if value is None:
            raise LookupError(f"{expr.span.place}: no argument for {name}")
        values[name] = yield ValueRequest(value, scope, declared(parameter.type))
        inside.bind(name, values[name])
    return values


def _built_in(
    name: str, expr: tree.Call, frame: Frame, compilation: Compilation, wanted: Type | None
) -> Steps[Value]:
    if name in builtins.OPTIONS and (wanted == OPTION or name not in builtins.FUNCTIONS):
        arguments = yield from _arguments(builtins.OPTIONS[name], expr, frame)
        return functions.OPTIONS[name](arguments, frame, compilation)
    arguments = yield from _arguments(builtins.FUNCTIONS[name], expr, frame)
    return functions.FUNCTIONS[name](arguments, frame, compilation)


def _arguments(signature: builtins.Signature, expr: tree.Call, frame: Frame) -> Steps[Arguments]:
    parameters = {parameter.name: parameter for parameter in signature.parameters}
    by_name: dict[str, ArgumentValue] = {}
    rest: list[Located] = []
    for at, argument in enumerate(expr.arguments):
        name = argument.name.name if argument.name is not None else ""
        parameter = parameters[name] if name in parameters else _positional(signature.parameters, at, name)
        type = None if parameter is None else parameter.type
        value = yield ValueRequest(argument.value, frame, None if type in _OWN else type)
        if parameter is not None and parameter.many:
            rest.append(Located(value, argument.value.span))
        else:
            by_name[parameter.name if parameter is not None else name] = ArgumentValue(value, argument.value)
    return Arguments(by_name, tuple(flatten(rest)), expr.span)


def _positional(parameters: Sequence[builtins.Parameter], at: int, name: str) -> builtins.Parameter | None:
    """Return the parameter at a position, None for a keyword outside of the signature."""
    if name:
        return None
    return parameters[at] if at < len(parameters) else parameters[-1]
