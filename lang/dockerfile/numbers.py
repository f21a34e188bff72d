"""Numbers of any length, as users write them."""

from __future__ import annotations


def read_number(text: str, most: int, base: int = 10) -> int | None:
    """Return the number that `text` spells, None if it has other characters than digits of `base` or exceeds `most`.

    Leading zeros are ignored. Python's own `int` refuses thousands of digits with an error of its own.
    """
    digits = text.lstrip("0") or text[:1]
    # No base needs more digits for a number than it has bits.
    if not (digits.isascii() and digits.isalnum()) or len(digits) > most.bit_length():
        return None
    try:
        number = int(digits, base)
    except ValueError:
        return None
    return number if number <= most else None
