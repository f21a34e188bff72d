"""Truth values in the spellings that the field's tools take: those of Go's `strconv.ParseBool`."""

from __future__ import annotations

_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")


def truth(text: str) -> bool | None:
    """The truth value that `text` spells, None when it spells none."""
    if text in _TRUE:
        return True
    return False if text in _FALSE else None
