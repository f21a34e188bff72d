"""Values of params from outside: parsing of text by the param's type (language spec, section 8), and formatting."""

from __future__ import annotations

import json
import re

from attrs import frozen

from pybuild.lang.diagnostics import SourceError, suggest
from pybuild.lang.recipe import ParamSetting
from pybuild.lang.textual import forms, tree, types
from pybuild.lang.textual.expand.values import Duration, Platform, Size, Value, Version, text_of
from pybuild.lang.textual.problems import params as problems

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

_INT: Final = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|[0-9][0-9_]*)")
_NANOSECONDS: Final = {"ms": 1_000_000, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_BYTES: Final = {
    "B": 1,
    **{f"{unit}B": 1000**power for power, unit in enumerate("KMGT", 1)},
    **{f"{unit}iB": 1024**power for power, unit in enumerate("KMGT", 1)},
}
_LARGEST: Final = 2**63


@frozen
class ParamValue:
    """A param's value, and its origin for messages."""

    value: Value
    origin: str


class _Unfit(Exception):
    """A text that is no value of the type. `near` may be meant instead."""

    def __init__(self, near: str | None = None) -> None:
        super().__init__()
        self.near = near


def declared(node: tree.Type) -> types.Type:
    """Return the type of an annotation."""
    if isinstance(node, tree.TypeLits):
        return types.Literals(tuple(_plain(option) for option in node.options))
    if isinstance(node, tree.TypeOf):
        inner = declared(node.argument)
        return types.ListOf(inner) if node.name.name == "list" else types.MapOf(inner)
    return types.NAMED.get(node.name, types.ERROR)


def _plain(string: tree.String) -> str:
    return "".join(part.value for part in string.parts if isinstance(part, tree.Text))


def from_text(param: tree.Param, given: ParamSetting) -> Value:
    """Return the value of a param. Raises E0603."""
    type = declared(param.type)
    try:
        return parsed(given.value, type)
    except _Unfit as error:
        wanted = described(type)
        raise SourceError(problems.unfit(param, given.value, wanted, given.origin, error.near)) from None


def described(type: types.Type) -> str:
    """Describe how a value of a type is written on the command line."""
    if isinstance(type, types.Literals):
        return f"wants {' or '.join(f'`{option}`' for option in type.options)}"
    if isinstance(type, types.ListOf):
        return "wants a list, as `a,b` or as JSON" + (_of(type.item) if type.item != types.STR else "")
    if isinstance(type, types.MapOf):
        return f"wants a map as JSON{_of(type.item)}"
    forms = {
        "bool": "`true` or `false`",
        "int": "a whole number",
        "duration": "a duration such as `30s`",
        "size": "a size such as `64MiB`",
        "path": "a path",
        "ref": "an image reference",
        "platform": "a platform such as `linux/amd64`",
        "version": "a version such as `1.2.3`",
    }
    return f"wants {forms.get(type.name, type.name)}"


def _of(item: types.Type) -> str:
    kind = "a string" if item == types.STR else described(item).removeprefix("wants ")
    return f", each of whose values is {kind}"


def parsed(text: str, type: types.Type) -> Value:
    """Return the value of a text. Raises `_Unfit`."""
    if isinstance(type, types.Literals):
        if text not in type.options:
            raise _Unfit(suggest(text, type.options))
        return text
    if isinstance(type, types.ListOf):
        return _list(text, type.item)
    if isinstance(type, types.MapOf):
        return _from_json(_json(text), type)
    return _SCALARS[type.name](text)


def _list(text: str, item: types.Type) -> Value:
    stripped = text.strip()
    if stripped.startswith("["):
        return _from_json(_json(stripped), types.ListOf(item))
    if not stripped:
        return ()
    if isinstance(item, types.ListOf | types.MapOf):
        raise _Unfit
    return tuple(parsed(part.strip(), item) for part in text.split(","))


def _json(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        raise _Unfit from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key occurs twice")
    return members


def _from_json(value: object, type: types.Type) -> Value:
    if isinstance(type, types.ListOf) and isinstance(value, list):
        return tuple(_from_json(one, type.item) for one in value)
    if isinstance(type, types.MapOf) and isinstance(value, dict):
        return {key: _from_json(one, type.item) for key, one in value.items()}
    if isinstance(type, types.ListOf | types.MapOf):
        raise _Unfit
    if isinstance(value, bool) or type in (types.BOOL, types.INT):
        wanted = bool if type == types.BOOL else int
        if type not in (types.BOOL, types.INT) or value.__class__ is not wanted:
            raise _Unfit
        return parsed(json.dumps(value), type)
    if not isinstance(value, str):
        raise _Unfit
    return parsed(value, type)


_BOOLS = {"yes": "true", "no": "false", "1": "true", "0": "false", "true": "true", "false": "false"}
"""Suggestions for other words, and for other letter case."""


def _bool(text: str) -> Value:
    if text not in ("true", "false"):
        raise _Unfit(_BOOLS.get(text.lower()))
    return text == "true"


def _int(text: str) -> Value:
    if not _INT.fullmatch(text):
        raise _Unfit
    try:
        value = int(text, 0 if re.match(r"[+-]?0[xXoO]", text) else 10)
    except ValueError:
        raise _Unfit from None
    if not -_LARGEST <= value < _LARGEST:
        raise _Unfit(str(_LARGEST - 1 if value > 0 else -_LARGEST))
    return value


def _measured(text: str, units: dict[str, int]) -> int:
    match = re.fullmatch(r"([0-9][0-9_]*)([A-Za-z]+)", text)
    if not match or match[2] not in units or len(match[1]) > 20:
        raise _Unfit
    value = int(match[1].replace("_", "")) * units[match[2]]
    if value >= _LARGEST:
        raise _Unfit
    return value


def _formed(type: str, make: Callable[[str], Value]) -> Callable[[str], Value]:
    def read(text: str) -> Value:
        flaw = forms.flaw(type, text)
        if flaw is not None:
            raise _Unfit(flaw.instead or None)
        return make(text)

    return read


_SCALARS: Final[dict[str, Callable[[str], Value]]] = {
    "str": lambda text: text,
    "int": _int,
    "bool": _bool,
    "duration": lambda text: Duration(_measured(text, _NANOSECONDS)),
    "size": lambda text: Size(_measured(text, _BYTES)),
    "path": _formed("path", str),
    "ref": _formed("ref", str),
    "platform": _formed("platform", Platform),
    "version": _formed("version", Version),
}


def as_text(value: Value) -> str:
    """Return a text that `parsed` turns into the same value, if the value came from a text."""
    if isinstance(value, tuple | dict):
        return json.dumps(_plain_json(value), ensure_ascii=False, separators=(",", ":"))
    return text_of(value)


def _plain_json(value: Value) -> object:
    if isinstance(value, tuple):
        return [_plain_json(one) for one in value]
    if isinstance(value, dict):
        return {key: _plain_json(one) for key, one in value.items()}
    return value if isinstance(value, bool | int) else text_of(value)


def written(value: Value) -> str:
    """Return the value as an expression, "…" for a state or a target."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(key)}: {written(one)}" for key, one in value.items()) + "}"
    if isinstance(value, bool | int | Duration | Size):
        return text_of(value)
    if isinstance(value, str | Version):
        return quoted(text_of(value))
    return "…"


def quoted(text: str) -> str:
    """Return a string literal."""
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("$", "\\$"), ("\n", "\\n"), ("\t", "\\t")):
        text = text.replace(plain, escaped)
    return f'"{text}"'
