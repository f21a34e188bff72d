"""Character classes of the Dockerfile grammar, as in BuildKit's parser.

Python counts more characters as white space (the separators U+001C to U+001F), so each rule names its set.
"""

from __future__ import annotations

# Unicode White_Space: stripped from both ends of a line, and ends a word.
SPACES = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
# Separates an instruction's name from its arguments, and plain arguments from each other.
SEPARATORS = "\t\v\f\r "
# Allowed around the name and the `=` of a directive.
BLANKS = "\t\n\f\r "

BYTE_ORDER_MARK = "\ufeff"
REPLACEMENT = "\ufffd"


def is_comment(line: str) -> bool:
    return line.lstrip(SPACES).startswith("#")


def invalid_at(text: str) -> int:
    """Return the index of the first lone surrogate, which stands for a byte that isn't UTF-8; -1 without one."""
    if text.isascii():
        return -1
    return next((index for index, char in enumerate(text) if "\ud800" <= char <= "\udfff"), -1)


def replace_invalid(text: str) -> str:
    """Return `text` with U+FFFD for each byte that isn't UTF-8."""
    if invalid_at(text) < 0:
        return text
    return "".join(REPLACEMENT if "\ud800" <= char <= "\udfff" else char for char in text)


def printable(text: str, limit: int = 60) -> str:
    """Return `text` for use in a message: visible, no control characters, at most `limit` characters."""
    if not text.strip():
        return f"{text!r}"
    shown = text if len(text) <= limit else text[: limit - 3] + "..."
    return shown if shown.isprintable() else ascii(shown)[1:-1]
