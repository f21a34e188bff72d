"""Values during the expansion: what an expression comes to.

    str, int, bool      str, int, bool; a path, a reference and a member of a union of literals are str
    list, map           tuple, dict in insertion order
    duration, size      Duration, Size
    platform, version   Platform, Version
    state, option       recipe.State, recipe.Option
    target              TargetValue; a group is a tuple of them
    a module, `vcs`     ModuleValue, VCS: values only to have members

Two kinds of str remember where they are from: `Dollar`, whose `$X` nobody has expanded, and `Raw`, which `run` does
not quote. Both are plain data as soon as they are spliced into another string.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping

from attrs import field, frozen

from pybuild.lang import recipe
from pybuild.lang.textual import tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from pybuild.lang.source import Span
    from pybuild.lang.textual.expand.frame import ModuleInstance

_DURATIONS: Final = (("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000))
_SIZES: Final = tuple(
    (unit + suffix, base**power)
    for power, unit in ((4, "T"), (3, "G"), (2, "M"), (1, "K"))
    for suffix, base in (("iB", 1024), ("B", 1000))
)

_USUAL: Final = {"arm64/v8": "arm64", "amd64/v1": "amd64", "arm": "arm/v7"}


@frozen(order=True)
class Duration:
    """`ns` is not negative."""

    ns: int

    def __str__(self) -> str:
        """The shortest literal of one unit: `1m` for 60 seconds."""
        return _literal(self.ns, _DURATIONS, "s", "ns")


@frozen(order=True)
class Size:
    """`bytes` is not negative."""

    bytes: int

    def __str__(self) -> str:
        """The literal of the largest unit that measures it, a binary one where both kinds do."""
        return _literal(self.bytes, _SIZES, "KiB", "B")


def _literal(amount: int, units: tuple[tuple[str, int], ...], zero: str, smallest: str) -> str:
    if amount == 0:
        return f"0{zero}"
    for unit, worth in units:
        if amount % worth == 0:
            return f"{amount // worth}{unit}"
    return f"{amount}{smallest}"


@frozen
class Version:
    """A dotted version as written. Equal in Python if written alike; `key` is what the language compares."""

    text: str
    key: tuple[tuple[int, int, str], ...] = field(eq=False, repr=False, init=False)

    @key.default
    def _key(self) -> tuple[tuple[int, int, str], ...]:
        return version_key(self.text)

    def part(self, number: int) -> str:
        """The digits at a place of `MAJOR.MINOR.PATCH`; `0` where there are none."""
        numbers = self.text.partition("-")[0].split(".")
        return numbers[number] if number < len(numbers) else "0"

    def __str__(self) -> str:
        return self.text


def version_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """The order of versions: number by number, missing ones are 0. What follows a `-` is a pre-release, before the
    version itself, and is compared by its words and numbers: `1.2-rc2` < `1.2-rc10` < `1.2` < `1.2.1`."""
    release, _, pre = text.partition("-")
    numbers = [number.lstrip("0") for number in release.split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    end = (1, 0, "") if pre else (2, 0, "")
    words = [
        (1, len(word.lstrip("0")), word.lstrip("0")) if word.isdigit() else (2, 0, word)
        for word in re.findall("[0-9]+|[A-Za-z]+", pre)
    ]
    return (*((3, len(number), number) for number in numbers), end, *words)


class Platform(str):
    """`os/arch[/variant]`, each in one spelling: `linux/arm64/v8` is `linux/arm64`, `linux/arm` is `linux/arm/v7`."""

    __slots__ = ()

    def __new__(cls, text: str) -> Platform:
        os, _, rest = text.partition("/")
        return super().__new__(cls, f"{os}/{_USUAL.get(rest, rest)}")

    @property
    def os(self) -> str:
        return self.split("/")[0]

    @property
    def arch(self) -> str:
        return self.split("/")[1]

    @property
    def variant(self) -> str:
        return "".join(self.split("/")[2:])


class Dollar(str):
    """A string with `$X` that belongs to the container: `template` has the same text with its variables."""

    __slots__ = ("template",)
    template: recipe.Template

    def __new__(cls, template: recipe.Template) -> Dollar:
        text = "".join(piece if isinstance(piece, str) else piece.text for piece in template)
        self = super().__new__(cls, text)
        self.template = template
        return self

    @property
    def variable(self) -> recipe.Variable:
        """The first one."""
        return next(piece for piece in self.template if isinstance(piece, recipe.Variable))


class Raw(str):
    """Text that `run` splices as it is."""

    __slots__ = ()


@frozen(eq=False)
class TargetValue:
    """A target, or the selection of its instances whose axes have the `chosen` values: at most one for each axis,
    in the order given; `platform` among them where it was chosen."""

    module: ModuleInstance
    target: tree.Target
    chosen: tuple[Choice, ...] = ()


@frozen
class Choice:
    axis: str
    value: Value
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen(eq=False)
class ModuleValue:
    module: ModuleInstance


@frozen(eq=False)
class Vcs:
    pass


VCS: Final = Vcs()

Scalar = str | int | Duration | Size | Version
Value = (
    Scalar
    | tuple["Value", ...]
    | Mapping[str, "Value"]
    | recipe.State
    | recipe.Option
    | TargetValue
    | ModuleValue
    | Vcs
)


def text_of(value: Value) -> str:
    """The text of a scalar, as `${{ }}` inserts it and `str(…)` gives it: plain data."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str.__str__(value) if isinstance(value, str) else str(value)


def template_of(value: Value) -> recipe.Template:
    """A scalar whose `$X` expand against the image environment."""
    if isinstance(value, Dollar):
        return value.template
    text = text_of(value)
    return (text,) if text else ()


def identity(value: Value) -> Hashable:
    """Equal for values that nothing in the language tells apart: a key for what is made once for an argument."""
    if isinstance(value, Dollar):
        return (Dollar, value.template)
    if isinstance(value, tuple):
        return (tuple, *map(identity, value))
    if isinstance(value, Mapping):
        return (dict, *((key, identity(one)) for key, one in value.items()))
    if isinstance(value, TargetValue):
        chosen = ((one.axis, identity(one.value)) for one in value.chosen)
        return (TargetValue, id(value.module), id(value.target), *chosen)
    if isinstance(value, recipe.Built):
        return (recipe.Built, value.body)
    if isinstance(value, recipe.Image):
        return (recipe.Image, value.ref, value.platform)
    return (type(value), value)


@frozen
class Located:
    """A value and the expression that gave it: of a list literal, the item."""

    value: Value
    span: Span = field(eq=False, repr=False)


def flatten(values: Iterable[Located]) -> list[Located]:
    """Each value of a place that takes several, lists item by item."""
    out: list[Located] = []
    for one in values:
        if isinstance(one.value, tuple):
            out += flatten(Located(item, one.span) for item in one.value)
        else:
            out.append(one)
    return out
