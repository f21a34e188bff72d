"""The arguments of a call: each is assigned to its parameter (E0401 to E0405), whose type it must fit."""

from __future__ import annotations

from pybuild.lang.textual import builtins, tree
from pybuild.lang.textual.check import variables
from pybuild.lang.textual.check.names import usage
from pybuild.lang.textual.check.visit import At
from pybuild.lang.textual.check.wanted import Expectation
from pybuild.lang.textual.problems import calls as problems
from pybuild.lang.textual.types import ERROR, INT, STR, VERSION, MapOf, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

    from pybuild.lang.source import Span
    from pybuild.lang.textual.builtins import Parameter, Signature

    ArgumentTypes = dict[str, tuple[tree.Expr, Type]]
    """The arguments and their types, by parameter name."""


class _Placing:
    """The assignment of one call's arguments to parameters, in order. `wrong` is set once an argument has no
    parameter: then missing arguments can't be determined."""

    __slots__ = ("at", "call", "name", "named", "next", "seen", "signature", "wrong")

    def __init__(self, call: tree.Call, signature: Signature, name: str, at: At) -> None:
        self.call = call
        self.signature = signature
        self.name = name
        self.at = at
        self.next = 0
        self.named: Span | None = None
        self.seen: dict[str, Span] = {}
        self.wrong = False

    def place(self, argument: tree.Argument) -> Parameter | None:
        parameter = (
            self._positional(argument) if argument.name is None else self._named(argument, argument.name)
        )
        if parameter is None:
            self.wrong = True
        return parameter

    def _positional(self, argument: tree.Argument) -> Parameter | None:
        if self.named is not None:
            if not self.wrong:
                self.at.report(problems.positional_after_named(argument.span, self.named))
            return None
        parameters = self.signature.parameters
        if self.next >= len(parameters):
            if not self.wrong:
                text = usage(self.signature, self.name)
                self.at.report(problems.too_many(argument.span, self.name, len(parameters), text))
            return None
        parameter = parameters[self.next]
        if not parameter.many:
            self.next += 1
        self.seen.setdefault(parameter.name, argument.span)
        return parameter

    def _named(self, argument: tree.Argument, name: tree.Ident) -> Parameter | None:
        self.named = self.named or argument.span
        parameter = next((one for one in self.signature.parameters if one.name == name.name), None)
        if parameter is None and self.signature.open is not None:
            parameter = builtins.Parameter(name.name, self.signature.open, "")
        if parameter is None:
            names = [one.name for one in self.signature.parameters]
            self.at.report(problems.unknown_argument(name.name, name.span, self.name, names))
            return None
        if name.name in self.seen:
            self.at.report(problems.given_twice(name.name, name.span, self.seen[name.name]))
            return None
        self.seen[name.name] = argument.span
        return parameter

    def finish(self) -> None:
        missing = [
            one.name for one in self.signature.parameters if one.default is None and one.name not in self.seen
        ]
        if missing and not self.wrong:
            text = usage(self.signature, self.name)
            self.at.report(problems.missing_arguments(self.call.function.span, self.name, missing, text))


def arguments(
    call: tree.Call, signature: Signature, name: str, receiver: Type, at: At
) -> Generator[tuple[tree.Expr, At], Type, ArgumentTypes]:
    """Check the arguments of a call of `signature`, named `name` in messages. `receiver` is the type of a method's
    value."""
    placing = _Placing(call, signature, name, at)
    types: ArgumentTypes = {}
    for argument in call.arguments:
        parameter = placing.place(argument)
        wanted = None if parameter is None else _wanted(parameter, signature, name, receiver)
        type = yield argument.value, at.wanting(wanted)
        if parameter is not None:
            types.setdefault(parameter.name, (argument.value, type))
            if parameter.name == "url" and signature.kind == "source":
                variables.refuse_variables(argument.value, at.scope, at.checking)
    placing.finish()
    return types


def _wanted(parameter: Parameter, signature: Signature, name: str, receiver: Type) -> Expectation | None:
    place = f"`{parameter.name}` of `{name}`"
    type = VERSION if signature is builtins.FUNCTIONS["version"] else parameter.type
    if type == builtins.ANY:
        if parameter.name == "default" and isinstance(receiver, MapOf) and receiver.item != ERROR:
            return Expectation(receiver.item, what=place)
        return None
    if type == builtins.MODE:
        return Expectation(INT, also=(STR,), what=place)
    if type == builtins.OWNER:
        return Expectation(STR, what=place)
    if signature.open is not None:
        return Expectation(type, also=(INT,), what=place)
    return Expectation(type, what=place)
