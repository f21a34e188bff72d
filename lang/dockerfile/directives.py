"""Parser directives: `# name=value` lines before anything else in a file.

The rules are BuildKit's (`frontend/dockerfile/parser/directives.go`): only `check`, `escape` and `syntax` are
directives, names are case-insensitive, and the first line that isn't one ends them, be it empty, an ordinary comment
or a directive of another name.
"""

from __future__ import annotations

from pybuild.lang.dockerfile.characters import BLANKS, SPACES
from pybuild.lang.source import Source, Span

NAMES = frozenset({"check", "escape", "syntax"})


class Directive:
    """A directive; `start` and `end` are the columns of its value, from 0, the end exclusive."""

    __slots__ = ("end", "name", "start", "value")

    def __init__(self, name: str, value: str, start: int, end: int) -> None:
        self.name = name
        self.value = value
        self.start = start
        self.end = end


def read_directive(line: str, comment: str = "#") -> Directive | None:
    """Return the directive on `line` (without its end), None if it holds none. `comment` opens the line."""
    if not line.startswith(comment):
        return None
    body = line[len(comment) :].lstrip(SPACES)
    before, equals, after = body.partition("=")
    name = before.rstrip(BLANKS)
    if not equals or not (name.isascii() and name.isalnum() and name[0].isalpha()):
        return None
    if name.lower() not in NAMES:
        return None
    value = after.strip(BLANKS)
    start = len(line) - len(after.lstrip(BLANKS))
    if not value:
        # A value has at least one character: if it is only blanks, the last of them is the value.
        value, start = after[-1:], len(line) - 1
    if not value:
        return None
    return Directive(name.lower(), value, start, start + len(value))


def find_directive(source: Source, name: str) -> tuple[str, Span] | None:
    """Return the value of the directive called `name` and its place, None without one.

    A `#!` line is skipped first; directives start in the first column, and a second one of a name ends them. This is
    BuildKit's `parser.ParseDirective`, stricter than its parser, which takes blanks before the `#`.
    """
    seen: set[str] = set()
    number = 2 if source.text.startswith("#!") else 1
    while (directive := read_directive(source.line(number))) is not None and directive.name not in seen:
        if directive.name == name:
            return directive.value, Span(source, number, directive.start + 1, number, directive.end + 1)
        seen.add(directive.name)
        number += 1
    return None
