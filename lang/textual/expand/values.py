"""Values during the expansion: the results of expressions.

    str, int, bool      str, int, bool; a path, a reference and a member of a union of literals are str
    list, map           tuple, dict in insertion order
    duration, size      Duration, Size
    platform, version   Platform, Version
    state, option       recipe.State, recipe.Option
    target              TargetValue; a group is a tuple of them
    a module, `vcs`     ModuleValue, VCS: only their members are used

Two subclasses of str keep more than their text: `Dollar` has unexpanded `$X`, and `Raw` is not quoted by `run`.
Inserted into another string, both become plain text.
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

# As containerd normalizes platforms.
_USUAL: Final = {"arm64/v8": "arm64", "amd64/v1": "amd64", "arm": "arm/v7"}


@frozen(order=True)
class Duration:
    """A duration of `ns` nanoseconds, not negative."""

    ns: int

    def __str__(self) -> str:
        """Return the shortest literal with one unit: `1m` for 60 seconds."""
        return _literal(self.ns, _DURATIONS, "s", "ns")


@frozen(order=True)
class Size:
    """A size of `bytes` bytes, not negative."""

    bytes: int

    def __str__(self) -> str:
        """Return the literal with the largest unit that divides the size, a binary unit if both kinds do."""
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
    """A dotted version as written. Python compares the text; the language compares `key`."""

    text: str
    key: tuple[tuple[int, int, str], ...] = field(eq=False, repr=False, init=False)

    @key.default
    def _key(self) -> tuple[tuple[int, int, str], ...]:
        return version_key(self.text)

    def part(self, number: int) -> str:
        """Return the digits at a position of `MAJOR.MINOR.PATCH`, `0` if absent."""
        numbers = self.text.partition("-")[0].split(".")
        return numbers[number] if number < len(numbers) else "0"

    def __str__(self) -> str:
        return self.text


def version_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Return the sort key of a version.

    Numbers are compared one by one, and missing ones are 0. A `-` starts a pre-release, which precedes the version
    itself and is compared by its words and numbers: `1.2-rc2` < `1.2-rc10` < `1.2` < `1.2.1`."""
    release, _, pre = text.partition("-")
    numbers = [number.lstrip("0") for number in release.split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    # Keys are (rank, length, text): longer numbers are greater, without int() of any number of digits.
    end = (1, 0, "") if pre else (2, 0, "")
    words = [
        (1, len(word.lstrip("0")), word.lstrip("0")) if word.isdigit() else (2, 0, word)
        for word in re.findall("[0-9]+|[A-Za-z]+", pre)
    ]
    return (*((3, len(number), number) for number in numbers), end, *words)


class Platform(str):
    """A platform `os/arch[/variant]` in its canonical spelling: `linux/arm64/v8` is `linux/arm64`, `linux/arm` is
    `linux/arm/v7`."""

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
    """A string with `$X` for the container's environment. `template` has the same text with its variables."""

    __slots__ = ("template",)
    template: recipe.Template

    def __new__(cls, template: recipe.Template) -> Dollar:
        text = "".join(piece if isinstance(piece, str) else piece.text for piece in template)
        self = super().__new__(cls, text)
        self.template = template
        return self

    @property
    def variable(self) -> recipe.Variable:
        """The first variable."""
        return next(piece for piece in self.template if isinstance(piece, recipe.Variable))


class Raw(str):
    """Text that `run` inserts unquoted."""

    __slots__ = ()


@frozen(eq=False)
class TargetValue:
    """A target, or the selection of its instances with the `chosen` values: at most one per axis, in the order
    given, `platform` among them if it was chosen."""

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
    """Return the plain text of a scalar, as inserted by `${{ }}` and returned by `str(…)`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str.__str__(value) if isinstance(value, str) else str(value)


def template_of(value: Value) -> recipe.Template:
    """Return a scalar as a template whose `$X` expand against the image environment."""
    if isinstance(value, Dollar):
        return value.template
    text = text_of(value)
    return (text,) if text else ()


def identity(value: Value) -> Hashable:
    """Return a key that is equal for values that the language can't distinguish. It identifies the results of
    calls."""
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
    """A value with the span of its expression; for an item of a list literal, the item's."""

    value: Value
    span: Span = field(eq=False, repr=False)


def flatten(values: Iterable[Located]) -> list[Located]:
    """Return the values of a place that takes several, with lists item by item."""
    out: list[Located] = []
    for located in values:
        if isinstance(located.value, tuple):
            out += flatten(Located(item, located.span) for item in located.value)
        else:
            out.append(located)
    return out
