"""The arguments of a call of a built-in, by name."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from pybuild.lang import recipe
from pybuild.lang.textual import tree
from pybuild.lang.textual.expand.values import Located, Size, Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.source import Span


@frozen
class ArgumentValue:
    """An argument's value with its expression."""

    value: Value
    expr: tree.Expr

    @property
    def span(self) -> Span:
        return self.expr.span

    @property
    def literal(self) -> bool:
        """Tell whether the expression is a string literal, which an edit can replace."""
        return isinstance(self.expr, tree.String)


class Arguments:
    """The arguments of a call, checked and converted. For an absent argument, the caller passes a default. `span`
    is the call's."""

    __slots__ = ("_given", "rest", "span")

    def __init__(self, given: Mapping[str, ArgumentValue], rest: tuple[Located, ...], span: Span) -> None:
        self._given = given
        self.rest = rest
        self.span = span

    def __contains__(self, name: str) -> bool:
        return name in self._given

    def __getitem__(self, name: str) -> ArgumentValue:
        return self._given[name]

    def items(self) -> list[tuple[str, ArgumentValue]]:
        return list(self._given.items())

    def place(self, name: str) -> Span:
        """Return the place of an argument, the call's if it is absent."""
        return self._given[name].span if name in self._given else self.span

    def value(self, name: str) -> Value | None:
        return self._given[name].value if name in self._given else None

    def text(self, name: str, default: str = "") -> str:
        value = self.value(name)
        return value if isinstance(value, str) else default

    def integer(self, name: str, default: int = 0) -> int:
        value = self.value(name)
        return value if isinstance(value, int) else default

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.value(name)
        return value if isinstance(value, bool) else default

    def size(self, name: str) -> int:
        """Return an argument in bytes."""
        value = self.value(name)
        return value.bytes if isinstance(value, Size) else 0

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.value(name)
        return tuple(one for one in value if isinstance(one, str)) if isinstance(value, tuple) else ()

    def mapping(self, name: str) -> Mapping[str, Value]:
        value = self.value(name)
        return value if isinstance(value, Mapping) else {}

    def state(self, name: str) -> recipe.State | None:
        value = self.value(name)
        return value if isinstance(value, recipe.State) else None
