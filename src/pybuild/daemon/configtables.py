"""Tables of TOML as frozen values: each field says how its key is read (`setting`). Keys that are not known are no
error.

The library that checks pybuild's own files takes longer to import than the daemon may take to start.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from attrs import field, fields, frozen

from pybuild.daemon.amounts import parse_space
from pybuild.lang.diagnostics import Diagnostic, Label, UsageError
from pybuild.lang.dockerfile.durations import parse_duration
from pybuild.lang.source import Source
from pybuild.request.config.tomlfile import key_span

T = TypeVar("T")

SECOND = 1_000_000_000


@frozen
class At:
    """A key of the file."""

    source: Source
    path: tuple[str, ...] = ()

    def below(self, key: str) -> At:
        return At(self.source, (*self.path, key))

    def wrong(self, what: str) -> UsageError:
        """The error that its value is not `what`."""
        label = Label(key_span(self.source, self.path))
        return UsageError(Diagnostic(f"{'.'.join(self.path)} must be {what}", labels=[label]))


Read = Callable[[Any, At], Any]
"""Makes a value of what the file has at a key. Raises UsageError."""


def read(kind: type[T], value: Any, at: At) -> T:
    """One table. Keys in lower case count too, as with buildkitd."""
    if not isinstance(value, dict):
        raise at.wrong("a table")
    found = {}
    for one in fields(kind):  # type: ignore[arg-type]
        key = one.metadata["key"] or _camel(one.name)
        for name in (key, key.lower()):
            if name in value:
                found[one.name] = one.metadata["read"](value[name], at.below(name))
                break
    return kind(**found)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))


def text(value: Any, at: At) -> str:
    if not isinstance(value, str):
        raise at.wrong("a string")
    return value


def flag(value: Any, at: At) -> bool:
    if not isinstance(value, bool):
        raise at.wrong("true or false")
    return value


def number(value: Any, at: At) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise at.wrong("a whole number")
    return value


def number_or_text(value: Any, at: At) -> int | str:
    return value if isinstance(value, str) else number(value, at)


def texts(value: Any, at: At) -> list[str]:
    if not isinstance(value, list):
        raise at.wrong("a list")
    return [text(one, at) for one in value]


def duration(value: Any, at: At) -> int:
    """Nanoseconds of `"48h"`, of `"172800"` and of 172800, which are seconds."""
    given = str(number_or_text(value, at)).strip('"')
    if not given:
        return 0
    if given.lstrip("-").isdecimal():
        return int(given) * SECOND
    try:
        return parse_duration(given)
    except ValueError as error:
        raise at.wrong(f"a duration: {given!r} {error}") from None


def space(value: Any, at: At) -> tuple[int, int]:
    """Bytes, and percents of the disk where those are 0."""
    try:
        return parse_space(str(number_or_text(value, at)))
    except ValueError as error:
        raise at.wrong(f"an amount of disk space: {error}") from None


def table(kind: type[Any]) -> Read:
    return lambda value, at: read(kind, value, at)


def tables(kind: type[Any]) -> Read:
    def each(value: Any, at: At) -> list[Any]:
        if not isinstance(value, list):
            raise at.wrong("a list of tables")
        return [read(kind, one, at) for one in value]

    return each


def named(one: Read) -> Read:
    """A table whose keys are names."""

    def each(value: Any, at: At) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise at.wrong("a table")
        return {name: one(member, at.below(name)) for name, member in value.items()}

    return each


def setting(read: Read, default: Any, key: str = "") -> Any:
    """A key of a table; without another one it is the name in camel case."""
    return field(default=default, metadata={"read": read, "key": key})


def nested(kind: type[Any], key: str = "") -> Any:
    """A table in a table, empty without one."""
    return setting(table(kind), kind(), key)
