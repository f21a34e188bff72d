"""The types of the language (language spec, section 6): first order, annotated or inferred, compared by value.

Basic("str")            str int bool duration size path ref platform version state option target
Literals(("a", "b"))    a union of strings
ListOf(T) MapOf(T)      map keys are str
ERROR                   the type of an expression with a reported mistake: compatible with all types
STEP                    the type of a call of a step, which has no value
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
    """A union of string literals, in the order written."""

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
"""Types that are written as one name."""

CHECKED = (PATH, REF, PLATFORM, VERSION)
"""Strings of a checked form."""

SCALARS = (STR, INT, BOOL, DURATION, SIZE, *CHECKED)
"""Types whose values are inserted as text, besides unions of literals. An axis may have these types."""


def is_text(type: Type) -> bool:
    """Tell whether values of the type are strings."""
    return type == STR or type in CHECKED or isinstance(type, Literals)


def accepts(wanted: Type, given: Type) -> bool:
    """Tell whether a value of type `given` is accepted where `wanted` is expected.

    Equal types are, and these conversions of the language spec, section 6: `str` to and from checked strings and
    unions of literals, whose values are checked once they are known. A target or a reference (str) in place of a
    state is up to the caller."""
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
