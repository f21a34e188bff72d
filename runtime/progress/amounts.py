"""Quantities as text for people."""

from __future__ import annotations

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def bytes_text(count: int) -> str:
    """Return `count` bytes in powers of 1000: `386B`, `2.02MB`."""
    if count < 1000:
        return f"{count}B"
    value = float(count)
    unit = 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value /= 1000
        unit += 1
    return f"{value:.2f}{_UNITS[unit]}"


def seconds_text(seconds: float) -> str:
    """Return a duration in tenths of a second, never negative: `0.3s`, `75.0s`."""
    return f"{max(seconds, 0.0):.1f}s"


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: `1 warning`, `2 warnings`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
