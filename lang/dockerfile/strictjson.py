"""JSON as Go reads it: no `NaN` or `Infinity`, no number beyond the range of a double."""

from __future__ import annotations


def read_json(text: str) -> object:
    """Parse `text`. Raises ValueError if it isn't JSON or nests too deep."""
    import json

    try:
        value: object = json.loads(text, parse_int=_number, parse_float=_number, parse_constant=_constant)
    except RecursionError:
        raise ValueError("nested too deep") from None
    return value


def _number(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{digits} is out of range")
    return value


def _constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
