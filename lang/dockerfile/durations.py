"""Go's duration syntax (`1m30s`, `1.5h`, `500ms`), in which health checks give their times."""

from __future__ import annotations

MILLISECOND = 1_000_000

_UNITS = {
    "ns": 1,
    "us": 1_000,
    "\u00b5s": 1_000,  # the micro sign
    "\u03bcs": 1_000,  # the Greek letter mu
    "ms": MILLISECOND,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_DIGITS = "0123456789"
_LARGEST = 2**63 - 1


def parse_duration(text: str) -> int:
    """Return the duration `text` in nanoseconds, fractions of one dropped.

    Raises ValueError if it is no duration, or more than 2**63-1 nanoseconds. The error's text continues a sentence
    that begins with the value.
    """
    body = text[1:] if text[:1] in ("+", "-") else text
    if body == "0":
        return 0
    if not body:
        raise ValueError("is not a duration")
    total = 0
    while body:
        length, body = _part(body)
        total += length
    if total > _LARGEST:
        raise ValueError("is too long a time")
    return -total if text.startswith("-") else total


def _part(text: str) -> tuple[int, str]:
    """Return the nanoseconds of the leading number and unit, and the rest of the text."""
    rest = text.lstrip(_DIGITS)
    whole = text[: len(text) - len(rest)]
    fraction = ""
    if rest.startswith("."):
        after = rest[1:].lstrip(_DIGITS)
        fraction = rest[1 : len(rest) - len(after)]
        rest = after
    if not whole and not fraction:
        raise ValueError("is not a duration")
    end = next((index for index, char in enumerate(rest) if char == "." or char in _DIGITS), len(rest))
    unit = _UNITS.get(rest[:end])
    if unit is None:
        raise ValueError(f"has the unknown unit {rest[:end]}" if rest[:end] else "has no unit")
    # More than 19 digits exceed 2**63 in any unit; Python would refuse to convert thousands of them.
    if len(whole.lstrip("0")) > 19:
        raise ValueError("is too long a time")
    length = int(whole or "0") * unit
    return length + _fraction(fraction, unit), rest[end:]


def _fraction(digits: str, unit: int) -> int:
    """Return `0.digits` of `unit`, computed in floating point and from as many digits as Go's `time.ParseDuration`
    uses."""
    value = 0
    scale = 1.0
    for digit in digits:
        longer = value * 10 + int(digit)
        if value > _LARGEST // 10 or longer > _LARGEST + 1:
            break
        value = longer
        scale *= 10
    return int(float(value) * (float(unit) / scale))
