"""The evaluation of expressions, and of strings with `$X`, scripts and calls of steps.

`run` keeps a stack of generators, one for each expression that waits for the value of a part, so neither long
chains nor deep nesting recurse. A handler (`expressions.HANDLERS`) returns the value of its kind of expression, or
a generator that yields the parts to evaluate and returns the value.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any, TypeVar

from pybuild.lang import recipe
from pybuild.lang.textual import tree
from pybuild.lang.textual.expand import calls, limits
from pybuild.lang.textual.expand.conversions import convert
from pybuild.lang.textual.expand.expressions import HANDLERS, PASSING, each
from pybuild.lang.textual.expand.frame import Compilation, Definition, Frame
from pybuild.lang.textual.expand.steps import Steps, ValueRequest
from pybuild.lang.textual.expand.values import Located, Raw, Value, flatten, template_of, text_of
from pybuild.lang.textual.types import Type

T = TypeVar("T")


def evaluate(expr: tree.Expr, frame: Frame, compilation: Compilation, wanted: Type | None = None) -> Value:
    """Return the value of an expression, converted to `wanted` unless that is None.

    For a type of one item, the value may also be a list of such items; `flatten` takes it apart."""
    return run(_one(expr, frame, wanted), compilation)


def evaluate_all(
    exprs: Iterable[tree.Expr], frame: Frame, compilation: Compilation, wanted: Type | None = None
) -> list[Located]:
    """Return the values of a place that takes several, with lists item by item. Items of a list literal have spans
    of their own."""
    out: list[Located] = []
    waiting = list(exprs)[::-1]
    while waiting:
        expr = waiting.pop()
        if isinstance(expr, tree.Parens):
            waiting.append(expr.value)
        elif isinstance(expr, tree.List):
            compilation.count(expr.span)
            waiting.extend(reversed(expr.items))
        else:
            out += flatten([Located(evaluate(expr, frame, compilation, wanted), expr.span)])
    return out


def template(expr: tree.Expr, frame: Frame, compilation: Compilation) -> recipe.Template:
    """Return a value whose `$X` expand against the image environment."""
    return template_of(evaluate(expr, frame, compilation))


def script(node: tree.Script, frame: Frame, compilation: Compilation) -> recipe.Script:
    """Return a script with its inserted values, unquoted: quoting needs the shell in force."""
    out: list[str | recipe.Splice] = []
    size = 0
    for part in node.parts:
        if isinstance(part, tree.ScriptText):
            out.append(part.value)
            size += len(part.value)
        else:
            splice = _splice(evaluate(part.value, frame, compilation), part)
            out.append(splice)
            size += len(splice.value) if isinstance(splice.value, str) else sum(map(len, splice.value))
        limits.length(size, node.span, compilation)
    return tuple(out)


def _splice(value: Value, part: tree.Interpolation) -> recipe.Splice:
    if isinstance(value, tuple):
        raw = bool(value) and all(isinstance(item, Raw) for item in value)
        return recipe.Splice(tuple(map(text_of, value)), raw, part.span)
    return recipe.Splice(text_of(value), isinstance(value, Raw), part.span)


def text(node: tree.Script | tree.Expr, frame: Frame, compilation: Compilation) -> str:
    """Return the text that `write` writes, with inserted values as plain text."""
    if isinstance(node, tree.Expr):
        return text_of(evaluate(node, frame, compilation))
    pieces: list[str] = []
    size = 0
    for part in node.parts:
        if isinstance(part, tree.ScriptText):
            pieces.append(part.value)
        else:
            pieces.append(text_of(evaluate(part.value, frame, compilation)))
        size += len(pieces[-1])
        limits.length(size, node.span, compilation)
    return limits.string("".join(pieces), node.span, compilation)


def step_call(call: tree.Call, frame: Frame, compilation: Compilation) -> tuple[Definition, dict[str, Value]]:
    """Return the step that a statement calls, and a value for each of its parameters."""
    return run(calls.step_call(call, frame, compilation), compilation)


def scopes(axes: tuple[tree.Axis, ...], frame: Frame, compilation: Compilation) -> list[Frame]:
    """Return a scope for each instance of a target's header, with the axes bound."""
    out: list[Frame] = []

    def visit(scope: Frame) -> Steps[None]:
        out.append(scope)
        yield from ()

    run(each(axes, frame, compilation, visit), compilation)
    return out


def run(steps: Steps[T], compilation: Compilation) -> T:
    """Run a generator of steps and return its result."""
    waiting: list[tuple[Steps[Any], ValueRequest | None]] = [(steps, None)]
    value: Value | None = None
    while True:
        generator, ask = waiting[-1]
        try:
            # The first value sent to a generator is None.
            request = generator.send(value)  # type: ignore[arg-type]
        except StopIteration as stop:
            waiting.pop()
            if ask is None:
                result: T = stop.value
                return result
            value = _converted(stop.value, ask, compilation)
            continue
        compilation.count(request.expr.span)
        outcome = HANDLERS[type(request.expr)](request.expr, request.frame, compilation, request.wanted)
        if isinstance(outcome, Generator):
            waiting.append((outcome, request))
            value = None
        else:
            value = _converted(outcome, request, compilation)


def _one(expr: tree.Expr, frame: Frame, wanted: Type | None) -> Steps[Value]:
    return (yield ValueRequest(expr, frame, wanted))


def _converted(value: Value, ask: ValueRequest, compilation: Compilation) -> Value:
    if ask.wanted is None or isinstance(ask.expr, PASSING):
        return value
    return convert(value, ask.wanted, ask.expr, ask.frame, compilation)
