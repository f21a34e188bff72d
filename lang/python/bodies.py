"""Turns functions into bodies: handles their axes and refuses what a body may not do.

A body runs after the module has ended, once for each instance and platform that is built.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from itertools import product
from types import CodeType

from pybuild.lang.python import failures, problems
from pybuild.lang.python.builder import StateBuilder
from pybuild.lang.python.expressions import Expression
from pybuild.lang.python.literals import literal
from pybuild.lang.python.names import valid
from pybuild.lang.python.quantities import FrozenDict, FrozenList
from pybuild.lang.python.recording import files, wrong
from pybuild.lang.textual import tree
from pybuild.lang.textual.expand.values import text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pybuild.lang.python.recording import Recording
    from pybuild.lang.source import Span
    from pybuild.lang.textual.expand.values import Value

    Make = Callable[[Mapping[str, Value], str], tuple[tree.Stmt, ...]]


class Axes:
    """The axes of a target: `values` by name in order.

    The expressions that stand for them in the language yield exactly the combinations for which `where` is true.
    """

    def __init__(
        self, axes: Mapping[str, Sequence[object]], where: Callable[..., bool] | None, span: Span
    ) -> None:
        self._span = span
        if not isinstance(axes, Mapping):
            raise wrong(problems.not_axes(span, type(axes).__name__))
        for name in axes:
            valid(tree.Ident(span, name))
        self.values = {name: frozen_list(values, name, span) for name, values in axes.items()}
        self._texts = {
            name: {_text(value, span): value for value in values} for name, values in self.values.items()
        }
        names = list(self.values)
        self._kept = [
            combination
            for combination in product(*self.values.values())
            if where is None or where(**dict(zip(names, combination, strict=True)))
        ]
        self._filtered = where is not None

    def value(self, axis: str, value: Value) -> object:
        """Return the module's own value for a value of the language."""
        return self._texts[axis].get(text_of(value), value)

    def expressions(self) -> tuple[tree.Axis, ...]:
        """Return `for a in […] for b in […]`.

        If `where` excludes combinations, the values of an axis are looked up in maps by the values of the axes before
        it.
        """
        out: list[tree.Axis] = []
        for place, name in enumerate(self.values):
            ident = tree.Ident(self._span, name)
            values = self._after(place) if self._filtered else literal(list(self.values[name]), self._span)
            out.append(tree.AxisFor(self._span, ident, values))
        return tuple(out)

    def _after(self, place: int) -> tree.Expr:
        """Return the values of an axis: a list for the first, for a later one maps of lists by the axes before it."""
        if place == 0:
            return literal(_distinct(combination[0] for combination in self._kept), self._span)
        table: dict[str, dict[str, object]] = {}
        for combination in self._kept:
            inner: dict[str, object] = table  # type: ignore[assignment]
            for value in combination[: place - 1]:
                inner = inner.setdefault(_text(value, self._span), {})  # type: ignore[assignment]
            values = inner.setdefault(_text(combination[place - 1], self._span), [])
            if isinstance(values, list) and combination[place] not in values:
                values.append(combination[place])
        expression = literal(table, self._span)
        for name in list(self.values)[:place]:
            expression = tree.Index(self._span, expression, self._key(name))
        return expression

    def _key(self, name: str) -> tree.Expr:
        used = tree.Name(self._span, name)
        if all(type(value) is str for value in self.values[name]):
            return used
        function = tree.Name(self._span, "str")
        return tree.Call(self._span, function, (tree.Argument(self._span, None, used),))


def _distinct(values: Iterator[object]) -> list[object]:
    out: list[object] = []
    for value in values:
        if value not in out:
            out.append(value)
    return out


def _text(value: object, span: Span) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    help = "axes take strings, numbers and other scalars; look the rest up by them in the body"
    raise wrong(problems.no_value(span, type(value).__name__, help))


def name_of(function: Callable[..., object], decorator: Span) -> Span:
    """Return the place of the name of a declared function. Raises E1001 if it isn't an ordinary function."""
    what = failures.no_function(function)
    if what:
        named = getattr(function, "__name__", None) or type(function).__name__
        span = place_of(function) if inspect.isfunction(function) else decorator
        raise wrong(problems.no_body(span, str(named), what))
    return place_of(function)


def place_of(function: Callable[..., object]) -> Span:
    """Return the place of a function's name."""
    code = function.__code__
    return files().of(code.co_filename).name(code)


def frozen_list(values: Sequence[object], name: str, span: Span) -> FrozenList:
    """Return the values of an axis as a list that can't be changed. Raises SourceError if they are no list."""
    if isinstance(values, str) or not isinstance(values, list | tuple | range):
        raise wrong(problems.not_a_list(span, name, type(values).__name__))
    return FrozenList(values)


def frozen(value: object) -> object:
    """Return a value whose lists and dicts can't be changed."""
    if isinstance(value, list):
        return FrozenList(map(frozen, value))
    if type(value) is dict:
        return FrozenDict({key: frozen(one) for key, one in value.items()})
    return value


def parameters_fit(
    function: Callable[..., object], name: str, axes: Sequence[str], span: Span, kind: str
) -> None:
    """Raise E0402 if a function can't be called with `t` and the axes."""
    parameters = list(inspect.signature(function).parameters.values())
    named = {one.name for one in parameters[1:] if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)}
    takes_all = any(one.kind == one.VAR_KEYWORD for one in parameters)
    required = {
        one.name
        for one in parameters[1:]
        if one.default is one.empty and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
    }
    missing = [] if takes_all else [axis for axis in axes if axis not in named]
    if not parameters:
        missing.insert(0, "t")
    extra = [one for one in required if one not in axes]
    if missing or extra:
        raise wrong(problems.bad_parameters(span, function.__name__, missing, sorted(extra), kind))


class FreeVariables:
    """Variables of a function's surroundings that it reads, with their values when it was declared."""

    __slots__ = ("_names", "_span", "_target", "_values", "function")

    def __init__(self, function: Callable[..., object], span: Span, target: str) -> None:
        self.function = function
        self._span = span
        self._target = target
        self._names = _read(function.__code__)
        self._values = dict(self._now())

    def _now(self) -> Iterator[tuple[str, object]]:
        """Yield the variables with their present values."""
        code, closure = self.function.__code__, self.function.__closure__ or ()
        for name, cell in zip(code.co_freevars, closure, strict=True):
            try:
                yield name, cell.cell_contents
            except ValueError:  # not bound yet
                continue
        for name in sorted(self._names):
            if name in self.function.__globals__:
                yield name, self.function.__globals__[name]

    def check(self) -> None:
        """Raise E1002 if the value of one has changed."""
        for name, value in self._now():
            if name in self._values and not _same(self._values[name], value):
                raise wrong(problems.changed_since(name, self._span, self._target))


def _read(code: CodeType) -> set[str]:
    """Return the global names that a function mentions, including nested functions and comprehensions."""
    inner = (_read(one) for one in code.co_consts if isinstance(one, CodeType))
    return set(code.co_names).union(*inner)


def _same(before: object, after: object) -> bool:
    """True if a variable has kept its value. Equal strings and numbers are the same value, other objects only
    themselves."""
    if before is after:
        return True
    return type(before) is type(after) and isinstance(before, str | int) and before == after


def captured(recording: Recording, function: Callable[..., object], target: str) -> FreeVariables | None:
    """Capture the variables that a function reads, and note it under its code.

    A second function with the same code means that the `def` stands in a loop: its body, which runs after the loop,
    would read the loop variable's last value.
    """
    variables = FreeVariables(function, place_of(function), target)
    declared = recording.captured.setdefault(function.__code__, [])
    declared.append(variables)
    return variables


def body_of(
    recording: Recording,
    decl: tree.Target | tree.Def,
    function: Callable[..., object],
    axes: Axes,
    captured: FreeVariables | None,
) -> Make:
    """Return a function that makes the statements of an instance of a target."""

    def make(names: Mapping[str, Value], platform: str) -> tuple[tree.Stmt, ...]:
        if captured is not None and len(recording.captured[function.__code__]) > 1:
            captured.check()
        values = {name: axes.value(name, value) for name, value in names.items()}
        body = statements(recording, decl.name.name, function, (), values, platform)
        if body and isinstance(body[-1], tree.Return):
            raise wrong(problems.returns(place_of(function), decl.name.name))
        return body

    return make


def statements(
    recording: Recording,
    name: str,
    function: Callable[..., object],
    args: Sequence[object],
    kwargs: Mapping[str, object],
    platform: str,
) -> tuple[tree.Stmt, ...]:
    """Return the statements that a function adds. Raises SourceError, also for the function's own exceptions."""
    builder = StateBuilder(recording, name, platform)
    with failures.explained(recording, name):
        result = function(builder, *args, **kwargs)
    body = builder._end()
    if result is None:
        return body
    span = place_of(function)
    value = literal(result, span) if isinstance(result, Expression | str) else None
    if value is None:
        help = "a body returns nothing; that of a state function may return a state"
        raise wrong(problems.no_value(span, type(result).__name__, help))
    return (*body, tree.Return(span, value))
