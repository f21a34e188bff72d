"""Types of the language (spec section 6): first order, written down or inferred, equal by value.

Basic("str")            str int bool duration size path ref platform version state option target
Literals(("a", "b"))    a union of strings
ListOf(T) MapOf(T)      map keys are str
ERROR                   the type of what is wrong already: it goes with everything
STEP                    what a call of a step gives: nothing
"""

from __future__ import annotations

from attrs import frozen


@frozen
class Basic:
    name: str

    def __str__(self) -> str:
        return self.name


@frozen
class Literals:
    """Options in the order written."""

    options: tuple[str, ...]

    def __str__(self) -> str:
        return " | ".join(f'"{option}"' for option in self.options)


@frozen
class ListOf:
    item: Type

    def __str__(self) -> str:
        return f"list[{self.item}]"


@frozen
class MapOf:
    item: Type

    def __str__(self) -> str:
        return f"map[{self.item}]"


Type = Basic | Literals | ListOf | MapOf

STR, INT, BOOL = Basic("str"), Basic("int"), Basic("bool")
DURATION, SIZE = Basic("duration"), Basic("size")
PATH, REF, PLATFORM, VERSION = Basic("path"), Basic("ref"), Basic("platform"), Basic("version")
STATE, OPTION, TARGET = Basic("state"), Basic("option"), Basic("target")
ERROR, STEP = Basic("error"), Basic("step")

NAMED = {
    one.name: one
    for one in (STR, INT, BOOL, DURATION, SIZE, PATH, REF, PLATFORM, VERSION, STATE, OPTION, TARGET)
}
"""Types that can be written as one name."""

CHECKED = (PATH, REF, PLATFORM, VERSION)
"""Strings of a certain form."""

SCALARS = (STR, INT, BOOL, DURATION, SIZE, *CHECKED)
"""Types whose values are inserted as text, with unions of literals; those that an axis may have."""


def is_text(type: Type) -> bool:
    """Whether values of the type are strings."""
    return type == STR or type in CHECKED or isinstance(type, Literals)


def accepts(wanted: Type, given: Type) -> bool:
    """Whether a value of type `given` may stand where `wanted` is: equal types, and the conversions of the spec's
    section 6 that are not the statement's own: str to and from checked strings and unions of literals, whose values
    are looked at when they are known; a target or a reference (str) where a state is wanted is the caller's rule."""
    if ERROR in (wanted, given) or wanted == given:
        return True
    if isinstance(wanted, ListOf) and isinstance(given, ListOf):
        return accepts(wanted.item, given.item)
    if isinstance(wanted, MapOf) and isinstance(given, MapOf):
        return accepts(wanted.item, given.item)
    if is_text(wanted) and is_text(given):
        if wanted == STR or given == STR:
            return True
        if isinstance(wanted, Literals) and isinstance(given, Literals):
            return bool(set(wanted.options) & set(given.options))
        return isinstance(wanted, Literals) != isinstance(given, Literals)
    return False
