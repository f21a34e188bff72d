"""The expectation at a place: a type, the types that convert to it, and the place's name in messages."""

from __future__ import annotations

from attrs import evolve, frozen

from pybuild.lang.textual.types import (
    ERROR,
    PATH,
    PLATFORM,
    STATE,
    STR,
    TARGET,
    VERSION,
    ListOf,
    Literals,
    MapOf,
    Type,
    accepts,
    is_text,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


@frozen
class Expectation:
    """An expectation: `type` or one of `also`, with `several` also a list of them.

    `reference` accepts an image reference for a state. `what` is the place's name in messages ("a condition"), ""
    if it has none. `expands` is set if `$X` in a string is expanded, although the string is a path."""

    type: Type
    also: tuple[Type, ...] = ()
    several: bool = False
    reference: bool = False
    what: str = ""
    expands: bool = False

    @property
    def types(self) -> tuple[Type, ...]:
        return (self.type, *self.also)

    def item(self) -> Expectation | None:
        """Return the expectation for items if a list is written here, None if no list is accepted."""
        if self.several:
            return evolve(self, several=False)
        return self._inner([type.item for type in self.types if isinstance(type, ListOf)])

    def value(self) -> Expectation | None:
        """Return the expectation for values if a map is written here, None if no map is accepted."""
        return self._inner([type.item for type in self.types if isinstance(type, MapOf)])

    def _inner(self, items: list[Type]) -> Expectation | None:
        return Expectation(items[0], tuple(items[1:]), expands=self.expands) if items else None

    def accepting(self, given: Type) -> Type | None:
        """Return the type that accepts `given`, the best first, None if none does."""
        if given in self.types or given == ERROR:
            return given
        for type in self.types:
            if fits(type, given) or (self.reference and type == STATE and is_state_like(given)):
                return type
        if self.several and isinstance(given, ListOf):
            inner = evolve(self, several=False).accepting(given.item)
            return None if inner is None else ListOf(inner)
        return None

    def __str__(self) -> str:
        names = [f"`{type}`" for type in self.types]
        text = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
        return f"{text} or a list of it" if self.several and len(names) == 1 else text


FROM: Final = Expectation(STATE, reference=True)
"""The expectation of `from` and `copy … from`: a state, a target, or an image reference."""


def is_state_like(type: Type) -> bool:
    """Tell whether `from` and `copy … from` accept a type: a state, a target, an image reference."""
    if type in (STATE, TARGET, ERROR):
        return True
    return is_text(type) and type not in (PATH, PLATFORM, VERSION)


def fits(wanted: Type, given: Type) -> bool:
    """Tell whether a value of type `given` is accepted, like `accepts`, with targets accepted for states."""
    if wanted == STATE and given == TARGET:
        return True
    if isinstance(wanted, ListOf) and isinstance(given, ListOf):
        return fits(wanted.item, given.item)
    if isinstance(wanted, MapOf) and isinstance(given, MapOf):
        return fits(wanted.item, given.item)
    return accepts(wanted, given)


def join(a: Type, b: Type) -> Type | None:
    """Return the common type of two alternatives, None if there is none. `[]` is a list of ERROR, which fits all
    lists."""
    if a == b or b == ERROR:
        return a
    if a == ERROR:
        return b
    if isinstance(a, ListOf) and isinstance(b, ListOf):
        item = join(a.item, b.item)
        return None if item is None else ListOf(item)
    if isinstance(a, MapOf) and isinstance(b, MapOf):
        item = join(a.item, b.item)
        return None if item is None else MapOf(item)
    if isinstance(a, Literals) and isinstance(b, Literals):
        return Literals(tuple(dict.fromkeys((*a.options, *b.options))))
    if is_text(a) and is_text(b):
        return STR
    if {a, b} == {STATE, TARGET}:
        return STATE
    return None
