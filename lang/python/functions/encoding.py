"""Values as tagged JSON, the same way in the build and in the container, where this file runs by itself: it needs
nothing but the standard library of Python 3.8.

What JSON has stands as it is; any other value is an object whose first name is a tag, which begins with `$`. Equal
values have equal texts, whatever the order of a set. No code is run by decoding: objects are made field by field, and
only of dataclasses, attrs classes, named tuples and enums.
"""

from __future__ import annotations

import base64
import datetime
import decimal
import enum
import fractions
import json
import pathlib
import re
import uuid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    ClassName = Callable[[type], str]
    ClassOf = Callable[[str], type]

LARGEST = 2**63
"""Numbers beyond it are written in hexadecimal digits: readers of JSON may limit the decimal ones."""


class NotData(Exception):
    """`value` at `where` (`[0].name`, "" for the whole) can't be written; `reason` says why, if not for its type."""

    def __init__(self, value: object, where: str, reason: str = "") -> None:
        super().__init__(reason or type(value).__qualname__)
        self.value = value
        self.where = where
        self.reason = reason


class BadData(Exception):
    """The text is none that `dumps` writes, or names a class that can't be had."""


class Reference:
    """Stands for the value that an earlier call returned: input `number` of the call."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number


def class_name(cls: type) -> str:
    """`module:qualified.name`."""
    return f"{cls.__module__}:{cls.__qualname__}"


def dumps(value: object, name: ClassName = class_name) -> bytes:
    """The text of a value. Raises NotData."""
    return text_of(Encoder(name).encode(value))


def text_of(plain: Any) -> bytes:
    """The text of what `Encoder.encode` gave."""
    return json.dumps(plain, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


def loads(data: bytes, class_of: ClassOf, returned: Callable[[int], object] | None = None) -> object:
    """The value of a text. Raises BadData."""
    try:
        plain = json.loads(data)
    except ValueError as error:
        raise BadData(f"not JSON: {error}") from None
    return Decoder(class_of, returned).decode(plain)


def fields_of(cls: type) -> list[str] | None:
    """The names of the fields of a dataclass or an attrs class; None for any other."""
    if isinstance(cls.__dict__.get("__attrs_attrs__"), tuple):
        return [one.name for one in cls.__attrs_attrs__]  # type: ignore[attr-defined]
    if "__dataclass_fields__" in cls.__dict__:
        import dataclasses

        return [one.name for one in dataclasses.fields(cls)]
    return None


def is_record(cls: type) -> bool:
    """Whether values of the class can be written: a dataclass, an attrs class, a named tuple, an enum."""
    return issubclass(cls, enum.Enum) or _is_named_tuple(cls) or fields_of(cls) is not None


def _is_named_tuple(cls: type) -> bool:
    return issubclass(cls, tuple) and isinstance(getattr(cls, "_fields", None), tuple)


# Values that are written as one text, by their exact type: tag, to text, from text.

_TEXTS: dict[type, tuple[str, Callable[[Any], str], Callable[[str], object]]] = {
    bytes: ("$bytes", lambda one: base64.b64encode(one).decode(), lambda text: base64.b64decode(text)),
    complex: ("$complex", str, complex),
    datetime.date: ("$date", datetime.date.isoformat, datetime.date.fromisoformat),
    decimal.Decimal: ("$decimal", str, decimal.Decimal),
    fractions.Fraction: ("$fraction", str, fractions.Fraction),
    uuid.UUID: ("$uuid", str, uuid.UUID),
    pathlib.PosixPath: ("$path", str, pathlib.Path),
    pathlib.PurePosixPath: ("$purepath", str, pathlib.PurePosixPath),
}


def _zone(value: Any) -> str:
    """The name of a time zone of the IANA's database; "" for a fixed one or none. Raises ValueError for another."""
    zone = value.tzinfo
    if zone is None or type(zone) is datetime.timezone:
        return ""
    key = getattr(zone, "key", None)
    if isinstance(key, str):
        return key
    raise ValueError("of a time zone without a name")


def _timed(tag: str, value: Any) -> dict[str, Any]:
    zone = _zone(value)
    if not zone:
        return {tag: value.isoformat()}
    return {tag: value.replace(tzinfo=None).isoformat(), "zone": zone, "fold": value.fold}


def _untimed(kind: Any, plain: dict[str, Any], text: str) -> object:
    value = kind.fromisoformat(text)
    if "zone" not in plain:
        return value
    import zoneinfo

    return value.replace(tzinfo=zoneinfo.ZoneInfo(plain["zone"]), fold=plain["fold"])


class Encoder:
    """Makes plain JSON values. `name` says what classes are called; `prepare` may put another value in the place of
    one that is met."""

    def __init__(
        self, name: ClassName = class_name, prepare: Callable[[object], object] | None = None
    ) -> None:
        self._name = name
        self._prepare = prepare
        self._open: set[int] = set()

    def encode(self, value: object, where: str = "") -> Any:
        """Raises NotData."""
        if self._prepare is not None:
            value = self._prepare(value)
        kind = type(value)
        if value is None or kind is bool or kind is str:
            return value
        if kind is int or kind is float:
            return _number(value)
        if id(value) in self._open:
            raise NotData(value, where, "it contains itself")
        self._open.add(id(value))
        try:
            return self._compound(value, kind, where)
        except RecursionError:
            raise NotData(value, where, "it is nested too deeply") from None
        finally:
            self._open.discard(id(value))

    def _compound(self, value: Any, kind: type, where: str) -> Any:
        if kind in _TEXTS:
            tag, write, _ = _TEXTS[kind]
            return {tag: write(value)}
        known = _KINDS.get(kind)
        if known is not None:
            return known(self, value, where)
        if isinstance(value, enum.Enum):
            return self._enum(value, where)
        if _is_named_tuple(kind):
            return {"$named": self._class(value, where), "items": self._items(value, where)}
        names = fields_of(kind)
        if names is None:
            raise NotData(value, where)
        held = [name for name in names if hasattr(value, name)]
        items = {name: self.encode(getattr(value, name), f"{where}.{name}") for name in held}
        return {"$object": self._class(value, where), "fields": items}

    def _class(self, value: object, where: str) -> str:
        try:
            return self._name(type(value))
        except NotData as error:
            raise NotData(value, where, error.reason) from None

    def _items(self, values: Iterable[object], where: str) -> list[Any]:
        return [self.encode(one, f"{where}[{at}]") for at, one in enumerate(values)]

    def _list(self, value: list[object], where: str) -> Any:
        return self._items(value, where)

    def _tuple(self, value: tuple[object, ...], where: str) -> Any:
        return {"$tuple": self._items(value, where)}

    def _set(self, value: set[object] | frozenset[object], where: str) -> Any:
        items = [self.encode(one, where) for one in value]
        tag = "$set" if type(value) is set else "$frozenset"
        return {tag: sorted(items, key=text_of)}

    def _dict(self, value: dict[object, object], where: str) -> Any:
        if all(type(key) is str and not key.startswith("$") for key in value):
            return {key: self.encode(one, f"{where}[{key!r}]") for key, one in value.items()}
        return {
            "$dict": [
                [self.encode(key, where), self.encode(one, f"{where}[{key!r}]")] for key, one in value.items()
            ]
        }

    def _enum(self, value: enum.Enum, where: str) -> Any:
        name = self._class(value, where)
        if value.name in type(value).__members__:
            return {"$enum": name, "name": value.name}
        return {"$enum": name, "value": self.encode(value.value, where)}

    def _time(self, value: object, where: str) -> Any:
        tag = "$datetime" if isinstance(value, datetime.datetime) else "$time"
        try:
            return _timed(tag, value)
        except ValueError as error:
            raise NotData(value, where, f"it is {error}") from None

    def _pattern(self, value: re.Pattern[Any], where: str) -> Any:
        return {"$pattern": self.encode(value.pattern, where), "flags": value.flags}


_KINDS: dict[type, Callable[[Encoder, Any, str], Any]] = {
    list: Encoder._list,
    tuple: Encoder._tuple,
    set: Encoder._set,
    frozenset: Encoder._set,
    dict: Encoder._dict,
    datetime.datetime: Encoder._time,
    datetime.time: Encoder._time,
    datetime.timedelta: lambda encoder, one, where: {"$duration": [one.days, one.seconds, one.microseconds]},
    range: lambda encoder, one, where: {"$range": [one.start, one.stop, one.step]},
    re.Pattern: Encoder._pattern,
    Reference: lambda encoder, one, where: {"$returned": one.number},
}


def _number(value: Any) -> Any:
    if isinstance(value, int):
        return value if -LARGEST <= value < LARGEST else {"$int": hex(value)}
    finite = value == value and value not in (float("inf"), float("-inf"))
    return value if finite else {"$float": str(value)}


class Decoder:
    """Makes values of plain JSON. `class_of` finds a class by its name and raises BadData; `returned` has the values
    that earlier calls returned."""

    def __init__(self, class_of: ClassOf, returned: Callable[[int], object] | None = None) -> None:
        self._class_of = class_of
        self._returned = returned

    def decode(self, plain: Any) -> object:
        """Raises BadData."""
        if isinstance(plain, list):
            return [self.decode(one) for one in plain]
        if not isinstance(plain, dict):
            return plain
        tag = next(iter(plain), "")
        if not tag.startswith("$"):
            return {key: self.decode(one) for key, one in plain.items()}
        try:
            return self._tagged(tag, plain[tag], plain)
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, re.error) as error:
            raise BadData(f"no value of {tag}: {error}") from None

    def _tagged(self, tag: str, held: Any, plain: dict[str, Any]) -> object:
        if tag in _FROM_TEXT:
            return _FROM_TEXT[tag](held)
        if tag in ("$tuple", "$set", "$frozenset"):
            kind: Any = {"$tuple": tuple, "$set": set, "$frozenset": frozenset}[tag]
            return kind(self.decode(one) for one in held)
        if tag == "$dict":
            return {self.decode(key): self.decode(one) for key, one in held}
        if tag in ("$datetime", "$time"):
            return _untimed(datetime.datetime if tag == "$datetime" else datetime.time, plain, held)
        if tag == "$pattern":
            pattern: Any = self.decode(held)
            return re.compile(pattern, plain["flags"])
        if tag == "$returned":
            if self._returned is None:
                raise BadData("a value that an earlier call returned is not to be had here")
            return self._returned(held)
        return self._made(tag, self._class(held), plain)

    def _class(self, name: str) -> type:
        cls = self._class_of(name)
        if not is_record(cls):
            raise BadData(f"{name} is no dataclass, attrs class, named tuple or enum")
        return cls

    def _made(self, tag: str, cls: Any, plain: dict[str, Any]) -> object:
        if tag == "$enum" and issubclass(cls, enum.Enum):
            return cls[plain["name"]] if "name" in plain else cls(self.decode(plain["value"]))
        if tag == "$named" and _is_named_tuple(cls):
            return tuple.__new__(cls, [self.decode(one) for one in plain["items"]])
        names = fields_of(cls)
        if tag != "$object" or names is None:
            raise BadData(f"unknown tag {tag}")
        # Not by its `__init__`: values are those that it, converters and `__post_init__` have made already.
        made = object.__new__(cls)
        for name, one in plain["fields"].items():
            if name not in names:
                raise BadData(f"{cls.__qualname__} has no field {name}")
            object.__setattr__(made, name, self.decode(one))
        return made


_FROM_TEXT: dict[str, Callable[[Any], object]] = {
    **{tag: read for tag, _, read in _TEXTS.values()},
    "$int": lambda text: int(text, 16),
    "$float": float,
    "$duration": lambda parts: datetime.timedelta(*parts),
    "$range": lambda parts: range(*parts),
}
