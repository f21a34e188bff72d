"""Statements without steps of their own: bindings, `from`, `return`, branches, loops, `with` and calls."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from pybuild.lang import recipe
from pybuild.lang.diagnostics import SourceError
from pybuild.lang.textual import tree
from pybuild.lang.textual.expand import definitions
from pybuild.lang.textual.expand.evaluate import evaluate, evaluate_all, step_call
from pybuild.lang.textual.expand.frame import Frame
from pybuild.lang.textual.expand.recorder import Placed, Recorder, placed
from pybuild.lang.textual.expand.values import Located, Value, text_of
from pybuild.lang.textual.problems import states as problems
from pybuild.lang.textual.types import OPTION, PLATFORM, STATE


def let(statement: tree.Let, frame: Frame, recorder: Recorder) -> None:
    frame.bind(statement.name.name, evaluate(statement.value, frame, recorder.compilation))


def check(statement: tree.Check, frame: Frame, recorder: Recorder) -> None:
    definitions.check(statement, frame, recorder.compilation)


def from_(statement: tree.From, frame: Frame, recorder: Recorder) -> None:
    compilation = recorder.compilation
    platform, scope = recorder.body.platform, frame
    if statement.on is not None:
        platform = text_of(evaluate(statement.on, frame, compilation, PLATFORM))
        scope = frame.inner(taken_for=platform)
    base = _state(evaluate(statement.state, scope, compilation, STATE), statement)
    recorder.state = recipe.Start(statement.span, base, platform, recorder.body)


def _state(value: Value, statement: tree.Stmt) -> recipe.State:
    if not isinstance(value, recipe.State):
        raise TypeError(f"{statement.span.place}: {type(value).__name__} is no state")
    return value


def return_(statement: tree.Return, frame: Frame, recorder: Recorder) -> None:
    recorder.finish(_state(evaluate(statement.value, frame, recorder.compilation, STATE), statement))


def call(statement: tree.CallStmt, frame: Frame, recorder: Recorder) -> None:
    compilation = recorder.compilation
    callee = statement.call
    while isinstance(callee, tree.Parens):
        callee = callee.value
    if not isinstance(callee, tree.Call):
        raise TypeError(f"{statement.span.place}: a statement calls a step")
    definition, arguments = step_call(callee, frame, compilation)
    scope = compilation.scope_of(definition.module)
    # The recorder leaves the call when the step's block ends.
    compilation.budget.enter(f"{scope.named(definition.definition.name.name)}(…)", statement.span)
    inside = Frame(scope, frame.platform, recorder, arguments, taken_for=frame.taken_for)
    recorder.open(placed(definition.definition.body, inside), call=True)


def if_(statement: tree.If, frame: Frame, recorder: Recorder) -> None:
    body = definitions.chosen(statement, frame, recorder.compilation)
    recorder.open(placed(body, frame.inner()))


def for_(statement: tree.For, frame: Frame, recorder: Recorder) -> None:
    values = evaluate(statement.values, frame, recorder.compilation)
    recorder.open(_rounds(statement, values if isinstance(values, tuple) else (), frame))


def _rounds(statement: tree.For, values: tuple[Value, ...], frame: Frame) -> Iterator[Placed]:
    for value in values:
        inner = frame.inner()
        inner.bind(statement.name.name, value)
        yield from placed(statement.body, inner)


def with_(statement: tree.With, frame: Frame, recorder: Recorder) -> None:
    located = evaluate_all(statement.options, frame, recorder.compilation, OPTION)
    _distinct(located)
    options = tuple(one.value for one in located if isinstance(one.value, recipe.Option))
    recorder.open(placed(statement.body, frame.inner()), options)


def _distinct(located: list[Located]) -> None:
    """Raise E0514 if two mounts share a path."""
    mounted: dict[str, Located] = {}
    for option in located:
        path = _mounted_at(option.value)
        if path:
            path = posixpath.normpath(path)
            if path in mounted:
                raise SourceError(problems.two_mounts(option.span, mounted[path].span, path))
            mounted[path] = option


def _mounted_at(value: Value) -> str:
    if isinstance(value, recipe.CacheMount | recipe.TmpfsMount):
        return value.path
    if isinstance(value, recipe.BindMount | recipe.SecretMount | recipe.AgentMount):
        return value.at
    return ""
