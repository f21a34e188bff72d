"""Patterns of policy selectors: wildcards, and Go's regular expressions with their templates."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial

from pybuild.lang.dockerfile.goquote import quote
from pybuild.runtime.policy.rules import PolicyError

_REFERENCE = re.compile(r"\$(?:\$|\{(\w+)\}|(\w+))")
_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7f",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_POSIX = re.compile(r"\[:([a-z]+):\]")
_PROBLEMS = (
    ("missing )", "missing closing )"),
    ("nothing to repeat", "missing argument to repetition operator"),
    ("unbalanced parenthesis", "unexpected )"),
    ("unterminated character set", "missing closing ]"),
)
"""Beginnings of Python's messages about a pattern, and Go's words for the same mistake."""
_SPACE = r"\t\n\f\r "
_QUOTED = re.compile(r"\\Q(.*?)(?:\\E|\Z)", re.DOTALL)
_HEXADECIMAL = re.compile(r"\\x\{([0-9A-Fa-f]+)\}")


def wildcard(pattern: str, text: str) -> list[str] | None:
    """Return what each star of `pattern` matches in `text`, greedily from left to right; None if the pattern
    doesn't match. No star matches a line break. Raises PolicyError."""
    if "**" in pattern:
        raise PolicyError(f'failed to translate wildcard {quote(pattern)} to regexp: invalid wildcard: "**"')
    first, *parts = pattern.split("*")
    if not parts:
        return [] if text == pattern else None
    stop = len(text) - len(parts[-1])
    if stop < len(first) or not text.startswith(first) or not text.endswith(parts[-1]):
        return None
    # From right to left each part is placed as far right as it can be, which makes the stars before it
    # longest.
    stops = [stop]
    for part in reversed(parts[:-1]):
        stop = text.rfind(part, len(first), stop)
        if stop < 0:
            return None
        stops.append(stop)
    start, stars = len(first), []
    for part, stop in zip(parts, reversed(stops), strict=True):
        stars.append(text[start:stop])
        start = stop + len(part)
    return None if any("\n" in one for one in stars) else stars


def expression(pattern: str) -> re.Pattern[str]:
    """Compile a regular expression in Go's syntax. Raises PolicyError for one that can't be read."""
    try:
        return re.compile(_translated(pattern), re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        reason = error.msg if isinstance(error, re.error) else str(error)
        words = next((theirs for ours, theirs in _PROBLEMS if reason.startswith(ours)), reason)
        raise PolicyError(f"error parsing regexp: {words}: `{pattern}`") from None


def _translated(pattern: str) -> str:
    """Translate a pattern from Go's syntax to Python's: `$` and `\\z` match at the end of the text only,
    classes may have POSIX names, `\\Q…\\E` is literal. Raises re.error."""
    pattern = _QUOTED.sub(lambda found: re.escape(found[1]), pattern)
    pattern = _HEXADECIMAL.sub(lambda found: f"\\U{int(found[1], 16):08x}", pattern)
    pattern = pattern.replace("(?<", "(?P<") if "(?<=" not in pattern and "(?<!" not in pattern else pattern
    return "".join(_pieces(pattern))


def _pieces(pattern: str) -> Iterator[str]:
    index, inside, multiline = 0, -1, _multiline(pattern)
    while index < len(pattern):
        char = pattern[index]
        if char == "\\":
            yield _escape(pattern[index : index + 2], inside=inside >= 0)
            index += 2
            continue
        posix = _POSIX.match(pattern, index) if inside >= 0 else None
        if posix is not None and posix[1] in _CLASSES:
            yield _CLASSES[posix[1]]
            index = posix.end()
            continue
        if inside < 0 and char == "[":
            inside = index + 1 + pattern.startswith("^", index + 1)
        elif char == "]" and index > inside >= 0:
            inside = -1
        # Python warns of a bracket within a class, for which it plans a meaning.
        elif char == "[" and inside >= 0:
            char = r"\["
        # Python's `$` also matches before a line feed at the end.
        elif char == "$" and inside < 0 and not multiline:
            char = r"\Z"
        elif pattern.startswith(("(?=", "(?!", "(?<", "(?P=", "(?#"), index) and inside < 0:
            raise re.error("invalid or unsupported Perl syntax", pattern, index)
        yield char
        index += 1


def _multiline(pattern: str) -> bool:
    flags = re.match(r"\(\?([a-zA-Z]+)\)", pattern)
    return flags is not None and "m" in flags[1]


def _escape(text: str, *, inside: bool) -> str:
    if text in (r"\z",):
        return r"\Z"
    if text == r"\s":
        return _SPACE if inside else f"[{_SPACE}]"
    if text == r"\S" and not inside:
        return f"[^{_SPACE}]"
    if text[1:] in ("Z", "p", "P", "C", "S") or text[1:].isdigit():
        raise re.error("invalid escape sequence", text)
    return text


def replaced(pattern: re.Pattern[str], text: str, template: str) -> str:
    """Return `text` with every match replaced by the expanded template. As in Go, an empty match right after
    another match is skipped."""
    out: list[str] = []
    last = 0
    for match in pattern.finditer(text):
        # Python (3.7 and later) also replaces an empty match behind another match; Go doesn't.
        if out and match.start() == match.end() == last:
            continue
        out.append(text[last : match.start()])
        out.append(expanded(template, partial(_group, match)))
        last = match.end()
    return "".join(out) + text[last:]


def expanded(template: str, value: Callable[[str], str]) -> str:
    """Expand `$NAME` and `${NAME}` in a template; `$$` is a dollar sign, any other dollar sign stays."""
    return _REFERENCE.sub(lambda found: "$" if found[0] == "$$" else value(found[1] or found[2]), template)


def numbered(values: list[str], whole: str) -> Callable[[str], str]:
    """Return a function from a number to the text of that wildcard star; 0 is the whole text."""
    known = {str(number): value for number, value in enumerate([whole, *values])}
    return lambda name: known.get(name, "")


def _group(match: re.Match[str], name: str) -> str:
    if name.isascii() and name.isdigit():
        exists = str(int(name)) == name and int(name) <= match.re.groups
        return match[int(name)] or "" if exists else ""
    return match[name] or "" if name in match.re.groupindex else ""
