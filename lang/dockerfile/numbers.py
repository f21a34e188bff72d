"""Numbers as users write them, of any length."""

from __future__ import annotations


def read_number(text: str, most: int, base: int = 10) -> int | None:
    """The number that the digits in `text` write, None if they are no digits of `base` or write more than `most`.

    Zeros at the start mean nothing. Python's own `int` refuses thousands of digits with an error of its own.
    """
    digits = text.lstrip("0") or text[:1]
    if not (digits.isascii() and digits.isalnum()) or len(digits) > most.bit_length():
        return None
    try:
        number = int(digits, base)
    except ValueError:
        return None
    return number if number <= most else None
