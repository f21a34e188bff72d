"""What may stand at a place: a type, what is converted to it, and how messages call the place."""

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
class Wanted:
    """`type` or one of `also`; with `several` a list of them as well. `reference` takes the reference of an image for
    a state. `what` is the place's name in messages ("a condition"), "" if it has none. `expands`: `$X` in a string
    means something there, though it is a path."""

    type: Type
    also: tuple[Type, ...] = ()
    several: bool = False
    reference: bool = False
    what: str = ""
    expands: bool = False

    @property
    def types(self) -> tuple[Type, ...]:
        return (self.type, *self.also)

    def item(self) -> Wanted | None:
        """What an item of a list must be that stands here; None if no list may."""
        if self.several:
            return evolve(self, several=False)
        return self._inner([type.item for type in self.types if isinstance(type, ListOf)])

    def value(self) -> Wanted | None:
        """What a value of a map must be that stands here; None if no map may."""
        return self._inner([type.item for type in self.types if isinstance(type, MapOf)])

    def _inner(self, items: list[Type]) -> Wanted | None:
        return Wanted(items[0], tuple(items[1:]), expands=self.expands) if items else None

    def accepting(self, given: Type) -> Type | None:
        """The one of the types that `given` goes with, the best first; None if none does."""
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


FROM: Final = Wanted(STATE, reference=True)
"""What `from` and `copy … from` take: a state, a target, or the reference of an image."""


def is_state_like(type: Type) -> bool:
    """Whether `from` and `copy … from` take it: a state, a target, the reference of an image."""
    if type in (STATE, TARGET, ERROR):
        return True
    return is_text(type) and type not in (PATH, PLATFORM, VERSION)


def fits(wanted: Type, given: Type) -> bool:
    """As `accepts`, and a target goes where a state is wanted."""
    if wanted == STATE and given == TARGET:
        return True
    if isinstance(wanted, ListOf) and isinstance(given, ListOf):
        return fits(wanted.item, given.item)
    if isinstance(wanted, MapOf) and isinstance(given, MapOf):
        return fits(wanted.item, given.item)
    return accepts(wanted, given)


def join(a: Type, b: Type) -> Type | None:
    """The type of what is one or the other; None if there is none. `[]` is a list of ERROR, which goes with all."""
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
