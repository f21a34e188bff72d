"""State functions: `@pb.state def base(t, version)`, called as `base("3.12")`."""

from __future__ import annotations

import inspect
from typing import Generic, ParamSpec

from attrs import fields

from pybuild.lang.python import problems
from pybuild.lang.python.arguments import misfit
from pybuild.lang.python.bodies import frozen, statements
from pybuild.lang.python.builder import StateBuilder
from pybuild.lang.python.expressions import Expression, State
from pybuild.lang.python.literals import string
from pybuild.lang.python.names import valid
from pybuild.lang.python.recording import here, known_here, wrong
from pybuild.lang.textual import tree
from pybuild.lang.textual.expand.values import text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Final

    from pybuild.lang.python.recording import Recording
    from pybuild.lang.source import Span
    from pybuild.lang.textual.expand.values import Value

P = ParamSpec("P")

CALL: Final = "call"
"""The parameter that tells the calls of a state function apart: the number of its list of arguments."""

DEEPEST: Final = 64
"""The deepest nesting of calls of state functions."""


class StateFunction(Generic[P]):
    """A state function. Each list of arguments is one body, however often and wherever it is passed."""

    def __init__(self, recording: Recording, function: Callable[..., object], span: Span) -> None:
        self._recording = recording
        self._function = function
        self._calls: list[inspect.BoundArguments] = []
        self._depths: list[int] = []
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        self._name = _free(valid(tree.Ident(span, function.__name__)).name, recording)
        self.decl = tree.Def(
            span=span,
            name=tree.Ident(span, self._name),
            parameters=(tree.Parameter(span, tree.Ident(span, CALL), tree.TypeName(span, "str"), None),),
            returns=tree.TypeName(span, "state"),
            body=(),
            header=span,
            doc=inspect.getdoc(function) or "",
        )
        recording.declare(self.decl, self._name)
        recording.bodies[self.decl] = self._body

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> State:
        site = here()
        known_here(self._name, self._recording, self.decl, site.span)
        try:
            # None stands for `t`.
            bound = inspect.signature(self._function).bind(None, *args, **kwargs)
        except TypeError as error:
            flaw = misfit(self._function, self.__name__, site, 1)
            raise wrong(flaw or problems.bad_call(site.span, self.__name__, str(error))) from None
        if any(isinstance(one, StateBuilder) for one in args):
            raise wrong(problems.not_a_step(site.positional(0), self.__name__, "a state function"))
        if self._recording.depth >= DEEPEST:
            raise wrong(problems.endless(site.span, self.__name__, DEEPEST))
        bound.arguments = {name: frozen(value) for name, value in bound.arguments.items()}
        number = next((at for at, known in enumerate(self._calls) if _equal(known, bound)), None)
        if number is None:
            number = len(self._calls)
            self._calls.append(bound)
            self._depths.append(self._recording.depth + 1)
        argument = tree.Argument(site.span, None, string(str(number), site.span, plain=True))
        node = tree.Call(site.span, tree.Name(site.span, self._name), (argument,))
        return ReturnedState(node, self._name, self._recording, self.decl)

    def _body(self, names: Mapping[str, Value], platform: str) -> tuple[tree.Stmt, ...]:
        number = int(text_of(names[CALL]))
        bound, recording = self._calls[number], self._recording
        recording.depth = self._depths[number]
        try:
            return statements(
                recording, self.__name__, self._function, bound.args[1:], bound.kwargs, platform
            )
        finally:
            recording.depth = 0


class ReturnedState(State):
    """The state that a state function of `recording` returns."""

    __slots__ = ("_decl", "_name", "recording")

    def __init__(self, node: tree.Call, name: str, recording: Recording, decl: tree.Def) -> None:
        super().__init__(node)
        self._name = name
        self._decl = decl
        self.recording = recording

    def at(self, span: Span) -> tree.Expr:
        known_here(self._name, self.recording, self._decl, span)
        return self._node


def _free(name: str, recording: Recording) -> str:
    """Return a name for a function, with a number if another file's function has it. Only messages show the name."""
    free, count = name, 1
    while isinstance(recording.declared.get(free), tree.Def):
        count += 1
        free = f"{name}_{count}"
    return free


def _equal(one: inspect.BoundArguments, other: inspect.BoundArguments) -> bool:
    """True if two calls have the same arguments."""
    return one.arguments.keys() == other.arguments.keys() and all(
        _same(value, other.arguments[name]) for name, value in one.arguments.items()
    )


def _same(one: object, other: object) -> bool:
    """True if two arguments are equal: by value, states by their expressions."""
    if isinstance(one, Expression) and isinstance(other, Expression):
        return type(one) is type(other) and _alike(one.node, other.node)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(_same(value, other[key]) for key, value in one.items())
    return type(one) is type(other) and bool(one == other)


def _alike(one: object, other: object) -> bool:
    """True if two nodes are equal apart from their places."""
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(_alike, one, other))
    if not isinstance(one, tree.Node) or type(one) is not type(other):
        return one == other
    return all(_alike(getattr(one, name), getattr(other, name)) for name in _said(type(one)))


def _said(kind: type[tree.Node]) -> tuple[str, ...]:
    return tuple(one.name for one in fields(kind) if one.name not in ("span", "op_span"))
