"""JSON of untrusted images: what two readers could understand differently is refused."""

from __future__ import annotations

import json

from pybuild.runtime.verify.findings import quoted
from pybuild.runtime.verify.limits import DEEPEST_JSON


def decode(data: bytes) -> object:
    """Return the value of a JSON text in UTF-8. Raises ValueError for anything else, for a key that an object has
    twice, for NaN and Infinity, and for nesting deeper than DEEPEST_JSON."""
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_members, parse_constant=_constant)
    except RecursionError:
        raise ValueError("its JSON is nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("it is not JSON: it isn't UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON: {error.msg} at byte {error.pos}") from None
    _check_depth(value)
    return value


def decode_object(data: bytes) -> dict[str, object]:
    """Return the object that a JSON text is. Raises ValueError."""
    value = decode(data)
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")
    return value


def strings(value: object) -> bool:
    """Return whether a value is a list of strings."""
    return isinstance(value, list) and all(isinstance(entry, str) for entry in value)


def string_map(value: object) -> bool:
    """Return whether a value is an object whose values are strings."""
    return isinstance(value, dict) and all(isinstance(entry, str) for entry in value.values())


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"its JSON has the key {quoted(key)} twice in one object")
            seen.add(key)
    return value


def _constant(name: str) -> object:
    raise ValueError(f"it is not JSON: it has {name}")


def _check_depth(value: object) -> None:
    # Without recursion: what json.loads takes may be deeper than a function's stack here.
    level: list[object] = [value]
    for _ in range(DEEPEST_JSON):
        below: list[object] = []
        for entry in level:
            if isinstance(entry, dict):
                below.extend(entry.values())
            elif isinstance(entry, list):
                below.extend(entry)
        if not below:
            return
        level = below
    raise ValueError("its JSON is nested too deeply")
