"""Attributes and methods of values (language spec, section 6)."""

from __future__ import annotations

from collections.abc import Mapping

from pybuild.lang.diagnostics import SourceError
from pybuild.lang.textual import builtins
from pybuild.lang.textual.expand import limits, operators
from pybuild.lang.textual.expand.arguments import Arguments
from pybuild.lang.textual.expand.frame import Compilation
from pybuild.lang.textual.expand.values import Dollar, Platform, Value, Vcs, Version, text_of
from pybuild.lang.textual.problems import values as problems

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from pybuild.lang.source import Span

_PARTS: Final = ("major", "minor", "patch")


def member(value: Value, name: str, span: Span, compilation: Compilation) -> Value:
    """Return an attribute of a value."""
    if isinstance(value, Vcs):
        return compilation.vcs(name)
    if isinstance(value, Version):
        digits = value.part(_PARTS.index(name)).lstrip("0") or "0"
        return limits.integer(int(digits[:20]), span, compilation)
    platform = Platform(text_of(value))
    return {"os": platform.os, "arch": platform.arch, "variant": platform.variant}[name]


def method(value: Value, name: str) -> builtins.Signature:
    kind = "map" if isinstance(value, Mapping) else "str"
    return next(one for one in builtins.METHODS[kind] if one.name == name)


def _text(value: Value) -> str:
    """Return the plain text that a string method works on."""
    return text_of(value)


def _split(value: Value, arguments: Arguments, compilation: Compilation) -> Value:
    separator = arguments.text("sep")
    if not separator:
        raise SourceError(problems.empty_separator(arguments.place("sep")))
    text = limits.string(_text(value), arguments.span, compilation)
    limits.count(text.count(separator) + 1, arguments.span, compilation)
    return tuple(text.split(separator))


def _join(value: Value, arguments: Arguments, compilation: Compilation) -> Value:
    argument = arguments.value("list")
    items = argument if isinstance(argument, tuple) else ()
    separator = value if isinstance(value, str) else text_of(value)
    strings = [item if isinstance(item, str) else text_of(item) for item in items]
    size = sum(map(len, strings)) + len(separator) * max(len(strings) - 1, 0)
    limits.length(size, arguments.span, compilation)
    limits.visit(len(strings), arguments.span, compilation)
    if any(isinstance(one, Dollar) for one in (separator, *strings)):
        separated = [piece for string in strings for piece in (separator, string)]
        return operators.join(*separated[1:])
    return limits.string(text_of(separator).join(strings), arguments.span, compilation)


def _replace(value: Value, arguments: Arguments, compilation: Compilation) -> Value:
    text, old, new = _text(value), arguments.text("a"), arguments.text("b")
    grown = len(text) + text.count(old) * (len(new) - len(old))
    limits.length(grown, arguments.span, compilation)
    return limits.string(text.replace(old, new), arguments.span, compilation)


def _simple(change: Callable[[str, str], Value]) -> Callable[[Value, Arguments, Compilation], Value]:
    def method(value: Value, arguments: Arguments, compilation: Compilation) -> Value:
        text = limits.string(_text(value), arguments.span, compilation)
        changed = change(text, arguments.text("s"))
        return limits.string(changed, arguments.span, compilation) if isinstance(changed, str) else changed

    return method


def _map(value: Value) -> Mapping[str, Value]:
    return value if isinstance(value, Mapping) else {}


def _keys(value: Value, arguments: Arguments, compilation: Compilation) -> Value:
    return limits.items(tuple(_map(value)), arguments.span, compilation)


def _values(value: Value, arguments: Arguments, compilation: Compilation) -> Value:
    return limits.items(tuple(_map(value).values()), arguments.span, compilation)


def _get(value: Value, arguments: Arguments, compilation: Compilation) -> Value:
    return _map(value).get(arguments.text("key"), arguments["default"].value)


METHODS: Final[Mapping[str, Callable[[Value, Arguments, Compilation], Value]]] = {
    "upper": _simple(lambda text, _: text.upper()),
    "lower": _simple(lambda text, _: text.lower()),
    "strip": _simple(lambda text, _: text.strip()),
    "split": _split,
    "join": _join,
    "replace": _replace,
    "startswith": _simple(lambda text, other: text.startswith(other)),
    "endswith": _simple(lambda text, other: text.endswith(other)),
    "removeprefix": _simple(lambda text, other: text.removeprefix(other)),
    "removesuffix": _simple(lambda text, other: text.removesuffix(other)),
    "keys": _keys,
    "values": _values,
    "get": _get,
}
