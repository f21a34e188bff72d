"""Values of the language that Python has no types for: sizes, durations, versions, and texts of a special form.

Each prints as the language writes it, and counts as data wherever a build module uses it.
"""

from __future__ import annotations

import re
from typing import NoReturn

from pybuild.lang.textual.expand import values
from pybuild.lang.textual.expand.values import Platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, Self, SupportsIndex


class Measured(int):
    """An amount that is printed in the largest unit that divides it. Sums and multiples are of its own type."""

    __slots__ = ()

    def __mul__(self, other: int) -> Self:
        return type(self)(int(self) * other)

    __rmul__ = __mul__

    def __add__(self, other: int) -> Self:
        return type(self)(int(self) + other)

    __radd__ = __add__

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __repr__(self) -> str:
        return f"<{type(self).__name__.lower()} {self}>"


class Size(Measured):
    """A number of bytes: `256 * pb.MiB`. Printed in the largest unit that divides it."""

    __slots__ = ()

    def __str__(self) -> str:
        return str(values.Size(int(self)))


class Duration(Measured):
    """A number of nanoseconds. Printed in the largest unit that divides it."""

    __slots__ = ()

    def __str__(self) -> str:
        return str(values.Duration(int(self)))


class Version(str):
    """A dotted version, compared number by number: `pb.version("3.9") < pb.version("3.10")`.

    A pre-release comes before its release.
    """

    __slots__ = ()

    @property
    def _key(self) -> tuple[tuple[int, int, str], ...]:
        return values.version_key(str.__str__(self))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and self._key == values.version_key(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self._key)

    def __lt__(self, other: str) -> bool:
        return self._key < values.version_key(other)

    def __le__(self, other: str) -> bool:
        return self._key <= values.version_key(other)

    def __gt__(self, other: str) -> bool:
        return self._key > values.version_key(other)

    def __ge__(self, other: str) -> bool:
        return self._key >= values.version_key(other)

    @property
    def major(self) -> int:
        return int(values.Version(str(self)).part(0))

    @property
    def minor(self) -> int:
        return int(values.Version(str(self)).part(1))

    @property
    def patch(self) -> int:
        return int(values.Version(str(self)).part(2))

    def __str__(self) -> str:
        return str.__str__(self)


class Plain(str):
    """A text whose `$X` is no variable."""

    __slots__ = ()


class Raw(str):
    """A text that `run` inserts as it is, unquoted."""

    __slots__ = ()


class Path(str):
    """The type of a param that is a path."""

    __slots__ = ()


class Ref(str):
    """The type of a param that is the reference of an image."""

    __slots__ = ()


KiB: Final = Size(1 << 10)
MiB: Final = Size(1 << 20)
GiB: Final = Size(1 << 30)
TiB: Final = Size(1 << 40)
KB: Final = Size(10**3)
MB: Final = Size(10**6)
GB: Final = Size(10**9)
TB: Final = Size(10**12)

_MEASURED: Final = re.compile(r"([0-9][0-9_]*)([A-Za-z]+)")
_DURATIONS: Final = {"ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_SIZES: Final = {
    "B": Size(1), "KiB": KiB, "MiB": MiB, "GiB": GiB, "TiB": TiB, "KB": KB, "MB": MB, "GB": GB, "TB": TB
}  # fmt: skip


def duration_of(text: str) -> Duration | None:
    """Return the duration that a text such as `30s` spells; None for any other text."""
    amount = _measured(text, _DURATIONS)
    return None if amount is None else Duration(amount)


def size_of(text: str) -> Size | None:
    """Return the size that a text such as `64MiB` spells; None for any other text."""
    amount = _measured(text, _SIZES)
    return None if amount is None else Size(amount)


def _measured(text: str, units: dict[str, int] | dict[str, Size]) -> int | None:
    match = _MEASURED.fullmatch(text)
    # More than 20 digits are out of range anyway, and `int` refuses thousands of them.
    if match is None or match[2] not in units or len(match[1]) > 20:
        return None
    return int(match[1].replace("_", "")) * int(units[match[2]])


class FrozenList(list[object]):
    """A list that belongs to the build: other targets share it, so it can't be changed. A copy is a plain list."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        from pybuild.lang.python.recording import refuse_change

        refuse_change("list")

    def __reduce__(self) -> tuple[type[list[object]], tuple[tuple[object, ...]]]:
        return list, (tuple(self),)

    def __reduce_ex__(
        self, protocol: SupportsIndex, /
    ) -> tuple[type[list[object]], tuple[tuple[object, ...]]]:
        return self.__reduce__()

    append = extend = insert = remove = pop = clear = sort = reverse = _refuse
    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse


class FrozenDict(dict[str, object]):
    """A dict that belongs to the build, so it can't be changed. A copy is a plain dict."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        from pybuild.lang.python.recording import refuse_change

        refuse_change("dict")

    def __reduce__(self) -> tuple[type[dict[str, object]], tuple[tuple[tuple[str, object], ...]]]:
        return dict, (tuple(self.items()),)

    def __reduce_ex__(
        self, protocol: SupportsIndex, /
    ) -> tuple[type[dict[str, object]], tuple[tuple[tuple[str, object], ...]]]:
        return self.__reduce__()

    pop = popitem = clear = update = setdefault = _refuse
    __setitem__ = __delitem__ = __ior__ = _refuse


def from_value(value: values.Value) -> object:
    """Return the Python form of a value of the language. Raises TypeError for one without a plain form (a state, a
    target)."""
    if isinstance(value, tuple):
        return FrozenList(map(from_value, value))
    if isinstance(value, dict):
        return FrozenDict({key: from_value(one) for key, one in value.items()})
    if isinstance(value, values.Size):
        return Size(value.bytes)
    if isinstance(value, values.Duration):
        return Duration(value.ns)
    if isinstance(value, values.Version):
        return Version(value.text)
    if isinstance(value, values.Raw):
        return Raw(value)
    if isinstance(value, Platform | bool | int):
        return value
    if isinstance(value, str):
        text = str.__str__(value)
        # Text from outside is data, as in the language; only in a literal is `$X` a variable.
        return Plain(text) if "$" in text and not isinstance(value, values.Dollar) else text
    raise TypeError(f"{type(value).__name__} has no plain form")


__all__ = [
    "GB",
    "KB",
    "MB",
    "TB",
    "Duration",
    "FrozenDict",
    "FrozenList",
    "GiB",
    "KiB",
    "MiB",
    "Path",
    "Plain",
    "Platform",
    "Raw",
    "Ref",
    "Size",
    "TiB",
    "Version",
    "duration_of",
    "from_value",
    "size_of",
]
