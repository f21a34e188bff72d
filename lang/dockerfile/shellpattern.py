r"""Patterns of `${NAME#pattern}` and its relatives, as BuildKit's Dockerfile frontend reads them.

`*` matches any text and `?` any character, neither of them a line feed. There are no bracket expressions. `\*`, `\?`
and `\\` are the characters themselves; in `\}` and `\/` the backslash is dropped (the characters had to be escaped
inside the braces); a backslash before anything else is an error, whatever the escape character of the file is.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Iterable

_STAR = "*"
_ANY = "?"


def trim_prefix(pattern: str, value: str, *, longest: bool) -> str:
    """Return `value` without its shortest or longest matching prefix. Raises ValueError."""
    match = _compile(_tokens(pattern), longest).match(value)
    return value[match.end() :] if match else value


def trim_suffix(pattern: str, value: str, *, longest: bool) -> str:
    """Return `value` without its shortest or longest matching suffix. Raises ValueError."""
    match = _compile(reversed(_tokens(pattern)), longest).match(value[::-1])
    return value[: len(value) - match.end()] if match else value


def replace(pattern: str, replacement: str, value: str, *, every: bool) -> str:
    """Replace the first longest match in `value`, or every one from left to right. Raises ValueError.

    With `every`, `$0` in the replacement is the matched text, `$` with another name is empty, and `$$` is a dollar:
    there the frontend uses Go's regular expressions. An empty match is replaced too, unless it touches the end of the
    match before it.
    """
    expression = _compile(_tokens(pattern), longest=True)
    if not every:
        first = expression.search(value)
        return value[: first.start()] + replacement + value[first.end() :] if first else value
    out: list[str] = []
    done = 0
    for match in expression.finditer(value):
        out.append(value[done : match.start()])
        if match.end() > done or match.start() == 0:
            out.append(_filled_in(replacement, match.group()))
        done = match.end()
    out.append(value[done:])
    return "".join(out)


def _filled_in(template: str, matched: str) -> str:
    if "$" not in template:
        return template
    import re

    def reference(match: re.Match[str]) -> str:
        name = match[1] or match[2] or match[3]
        return "$" if name == "$" else matched if name == "0" else ""

    return re.sub(r"\$(?:(\$)|(\w+)|\{(\w+)\})", reference, template)


def _tokens(pattern: str) -> list[str]:
    """Split the pattern into `_STAR`, `_ANY`, and literal characters with a backslash before them."""
    tokens: list[str] = []
    pos = 0
    while pos < len(pattern):
        ch = pattern[pos]
        pos += 1
        if ch == "\\":
            following = pattern[pos : pos + 1]
            if following and following in "}/":
                continue
            if not following or following not in "*?\\":
                raise ValueError(f"invalid escape '\\{following}'")
            tokens.append("\\" + following)
            pos += 1
        else:
            tokens.append(ch if ch in (_STAR, _ANY) else "\\" + ch)
    return tokens


def _compile(tokens: Iterable[str], longest: bool) -> re.Pattern[str]:
    """Make a regular expression whose match at a place is the shortest or the longest one there.

    The text between two stars can be matched at its first occurrence without going back (an atomic group): whatever
    matches after a later one matches after the first, so nothing is tried twice. Only the last star decides the
    length.
    """
    import re

    pieces: list[list[str]] = [[]]
    for token in tokens:
        if token == _STAR:
            pieces.append([])
        else:
            pieces[-1].append("." if token == _ANY else re.escape(token[1]))
    head, *middle = ("".join(piece) for piece in pieces)
    if not middle:
        return re.compile(head)
    last = middle.pop()
    inner = "".join(f"(?>.*?{chunk})" for chunk in middle)
    return re.compile(f"{head}{inner}.*{'' if longest else '?'}{last}")
