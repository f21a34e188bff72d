"""Wildcards of COPY and ADD sources: the rules of Go's `filepath.Match`, on slash separated paths.

`*` matches any text and `?` any character, neither of them a slash. `[a-z0-9]` matches one of the characters listed,
`[^…]` any other character, and both may match a slash. A backslash makes the next character plain, also inside
brackets. There is no `**` here. A pattern matches the whole name or nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

STAR = "*"
"""The token of a star; every other token is a regular expression for one character."""

_compiled: dict[str, Callable[[str], object]] = {}


def match(pattern: str, name: str) -> bool:
    """True if `name` matches. Raises ValueError for a malformed pattern, whatever the name is."""
    matches = _compiled.get(pattern)
    if matches is None:
        import re

        matches = re.compile(expression(tokens(pattern)), re.DOTALL).fullmatch
        if len(_compiled) > 500:
            _compiled.clear()
        _compiled[pattern] = matches
    return matches(name) is not None


def has_wildcard(text: str) -> bool:
    """True if `text` holds a `*`, `?` or `[` without a backslash before it."""
    pos = 0
    while pos < len(text):
        ch = text[pos]
        if ch in "*?[":
            return True
        pos += 2 if ch == "\\" else 1
    return False


def bracketed(path: str) -> str:
    """Return an absolute path as a pattern that matches the same, with brackets in its first component.

    Directories before the first wildcard of a pattern must exist; those that wildcards match needn't.
    """
    first, slash, rest = path[1:].partition("/")
    start, last = first[:-1].removesuffix("\\"), first[-1]
    escaped = f"{start}[{last}]" if last.isalnum() else f"{start}[\\{last}]"
    return f"/{escaped}{slash}{rest}"


def check(pattern: str) -> None:
    """Raise ValueError if the pattern is malformed."""
    tokens(pattern)


def tokens(pattern: str) -> list[str]:
    """Return the pattern as tokens for `expression`. Raises ValueError."""
    out: list[str] = []
    pos = 0
    while pos < len(pattern):
        ch = pattern[pos]
        pos += 1
        if ch == "*":
            out.append(STAR)
        elif ch == "?":
            out.append("[^/]")
        elif ch == "[":
            token, pos = _brackets(pattern, pos)
            out.append(token)
        elif ch == "\\":
            if pos == len(pattern):
                raise ValueError("a backslash at the end makes nothing plain")
            out.append(_literal(pattern[pos]))
            pos += 1
        else:
            out.append(_literal(ch))
    return out


def crosses(token: str) -> bool:
    """True if a token can match a slash without being the plain slash."""
    if not token.startswith("["):
        return False
    import re

    return re.match(token, "/") is not None


def expression(parts: Sequence[str], *, star: str = "[^/]*") -> str:
    """Join tokens to one regular expression for a full match with `re.DOTALL`; it has no numbered groups.

    The text between two stars is matched at its first occurrence without going back (an atomic group), so that the
    time is at most the product of the two lengths. Go does the same, even where a class consumes the slash that ends
    a star's reach and a later occurrence would have matched.
    """
    pieces: list[list[str]] = [[]]
    for part in parts:
        if part == STAR:
            pieces.append([])
        else:
            pieces[-1].append(part)
    head, *middle = ("".join(piece) for piece in pieces)
    if not middle:
        return head
    last = middle.pop()
    return head + "".join(f"(?>{star}?{chunk})" for chunk in middle if chunk) + star + last


def _brackets(pattern: str, pos: int) -> tuple[str, int]:
    """Return the class that opens before `pos` as a regular expression, and the position after it."""
    negated = pattern.startswith("^", pos)
    pos += negated
    ranges: list[str] = []
    count = 0
    while not (count and pattern.startswith("]", pos)):
        low, pos = _bound(pattern, pos)
        high = low
        if pattern.startswith("-", pos):
            high, pos = _bound(pattern, pos + 1)
        if low <= high:
            ranges.append(_literal(low) if low == high else f"{_literal(low)}-{_literal(high)}")
        count += 1
    if not ranges:
        return (r"[\s\S]" if negated else "(?!)"), pos + 1
    return f"[{'^' if negated else ''}{''.join(ranges)}]", pos + 1


def _bound(pattern: str, pos: int) -> tuple[str, int]:
    """Return one end of a range, and the position after it."""
    ch = pattern[pos : pos + 1]
    if ch == "\\":
        pos += 1
        ch = pattern[pos : pos + 1]
    elif ch and ch in "-]":
        raise ValueError(f"'{ch}' inside brackets needs a backslash before it")
    if not ch or pos + 1 == len(pattern):
        raise ValueError("brackets are not closed")
    return ch, pos + 1


def _literal(ch: str) -> str:
    return "\\" + ch if ch.isascii() and not ch.isalnum() else ch
