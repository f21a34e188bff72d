"""Truth values in the spellings that Go's `strconv.ParseBool` takes, as BuildKit and Docker do."""

from __future__ import annotations

_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")


def truth(text: str) -> bool | None:
    """Return the truth value that `text` spells, None if it spells none."""
    if text in _TRUE:
        return True
    return False if text in _FALSE else None
