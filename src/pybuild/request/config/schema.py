"""Schemas of TOML tables: a schema maps each key of a table to the kind of value that it takes.

A kind reads a value and knows the default of its key. `text`, `flag`, `list_of(text)`, `table(schema)` … are kinds;
`text.required()` and `flag.default_to(True)` are variants, `text.then(convert)` reads and converts. Everything that a
kind refuses is refused by `Place.wrong`, so that the messages about all files are the same.
"""

from __future__ import annotations

import os
import re

from pybuild.lang.diagnostics import Diagnostic, Label, UsageError, UserError, suggest
from pybuild.request.config.tomlfile import key_span, read_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pybuild.lang.source import Source

    Dict = dict[str, Any]
    Schema = dict[str, "Kind"]
else:
    Dict = dict

_BARE = re.compile(r"\s*=\s*([\w.+:-]+)")


class Place:
    """A key of a file, or an item of the list at a key: a number (from 1) at the end of `path`. A lenient file may
    have unknown keys, and keys in lower case."""

    __slots__ = ("lenient", "path", "source")

    def __init__(self, source: Source, path: tuple[str | int, ...] = (), *, lenient: bool) -> None:
        self.source = source
        self.path = path
        self.lenient = lenient

    @property
    def name(self) -> str:
        return ".".join(part for part in self.path if isinstance(part, str))

    def below(self, part: str | int) -> Place:
        """Return the place of a key of this table, or of an item of this list."""
        return Place(self.source, (*self.path, part), lenient=self.lenient)

    def beside(self, path: str) -> str:
        """Return the absolute form of a path that is relative to the file's directory."""
        return os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(self.source.name)), path))

    def error(self, title: str, help: str = "") -> UsageError:
        notes = [("help", help)] if help else []
        return UsageError(Diagnostic(title, labels=[Label(key_span(self.source, self.path))], notes=notes))

    def wrong(self, expected: str, help: str = "") -> UsageError:
        """Return the error that the value is not what is expected."""
        last = self.path[-1]
        item = f"item {last} of " if isinstance(last, int) else ""
        return self.error(f"{item}{self.name} must be {expected}", help)

    def unquoted(self) -> str:
        """Return the number, date or boolean after the key as the file spells it; empty if it isn't on the line."""
        span = key_span(self.source, self.path)
        match = _BARE.match(self.source.line(span.end_line), span.end_column - 1)
        return match[1] if match else ""


class Kind:
    """A kind of value. `read` returns the value or raises UsageError; `default` is the value of a key that is not
    set."""

    __slots__ = ("default", "is_required", "read")

    def __init__(self, read: Callable[[Any, Place], Any], default: Any, *, required: bool = False) -> None:
        self.read = read
        self.default = default
        self.is_required = required

    def required(self) -> Kind:
        return Kind(self.read, self.default, required=True)

    def default_to(self, default: Any) -> Kind:
        return Kind(self.read, default)

    def then(self, convert: Callable[[Any], Any]) -> Kind:
        """Return the kind whose values are converted. A UserError of `convert` gets the place of the key."""

        def read(value: Any, place: Place) -> Any:
            try:
                return convert(self.read(value, place))
            except UserError as error:
                if error.diagnostic.labels:
                    raise
                raise UsageError(error.diagnostic.at(key_span(place.source, place.path))) from None

        return Kind(read, self.default)


class Section(Dict):
    """The values of a table by key. Iteration gives the keys that the file sets; `section[key]` of a known key that
    it doesn't set is the default."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema

    def __missing__(self, key: str) -> Any:
        return self._schema[key].default


def read(source: Source, schema: Schema, *, lenient: bool = False) -> Section:
    """Return the values of a TOML file. Raises UsageError that shows the line of the first mistake found."""
    return _section(schema, read_table(source), Place(source, lenient=lenient))


def _section(schema: Schema, value: Any, place: Place) -> Section:
    if not isinstance(value, dict):
        raise place.wrong("a table")
    names = {name: name for name in value if name in schema}
    if place.lenient:
        names = {key: key.lower() for key in schema if key.lower() in value} | names
    else:
        for name in value:
            if name not in schema:
                raise _unknown(schema, place.below(name))
    section = Section(schema)
    for key, name in names.items():
        section[key] = schema[key].read(value[name], place.below(name))
    for key, kind in schema.items():
        if kind.is_required and key not in section:
            raise place.error(f"{place.below(key).name} is missing")
    return section


def _unknown(schema: Schema, place: Place) -> UsageError:
    name = str(place.path[-1])
    near = suggest(name, schema) or next((key for key in schema if key == name + "s"), None)
    help = f"did you mean {near}?" if near else "known are " + ", ".join(sorted(schema))
    return place.error(f"unknown key {place.name}", help)


def _text(value: Any, place: Place) -> str:
    if isinstance(value, str):
        return value
    unquoted = "" if isinstance(value, list | dict) else place.unquoted()
    raise place.wrong("a string", f'write it in quotes: "{unquoted}"' if unquoted else "")


def _filled(value: Any, place: Place) -> str:
    if value == "":
        raise place.wrong("a string that is not empty")
    return _text(value, place)


def _path(value: Any, place: Place) -> str:
    return place.beside(_filled(value, place))


def _flag(value: Any, place: Place) -> bool:
    if not isinstance(value, bool):
        raise place.wrong("true or false")
    return value


text = Kind(_text, "")
filled = Kind(_filled, "")
"""A text that is not empty."""
path = Kind(_path, "")
"""A path, relative to the file's directory; the value is absolute."""
flag = Kind(_flag, False)


def integer(least: int | None = None) -> Kind:
    """A whole number, of at least `least` unless that is None."""

    def read(value: Any, place: Place) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise place.wrong("a whole number")
        if least is not None and value < least:
            raise place.wrong(f"at least {least}")
        return value

    return Kind(read, 0)


def number_or_text(what: str) -> Kind:
    """A whole number or a text; `what` is what the two mean, for the message about other values."""

    def read(value: Any, place: Place) -> int | str:
        if not isinstance(value, int | str) or isinstance(value, bool):
            raise place.wrong(what)
        return value

    return Kind(read, 0)


def one_of(*words: str) -> Kind:
    def read(value: Any, place: Place) -> str:
        if value not in words:
            near = suggest(value, words) if isinstance(value, str) else None
            raise place.wrong("one of " + ", ".join(words), f"did you mean {near}?" if near else "")
        return str(value)

    return Kind(read, "")


def list_of(kind: Kind) -> Kind:
    """A list, as a tuple."""

    def read(value: Any, place: Place) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise place.wrong("a list")
        return tuple(kind.read(item, place.below(number)) for number, item in enumerate(value, 1))

    return Kind(read, ())


def table(schema: Schema) -> Kind:
    return Kind(lambda value, place: _section(schema, value, place), Section(schema))


def table_of(kind: Kind) -> Kind:
    """A table whose keys are names that the user chooses."""

    def read(value: Any, place: Place) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise place.wrong("a table")
        return {name: kind.read(item, place.below(name)) for name, item in value.items()}

    return Kind(read, {})
