"""Tokens and logical lines, as the lexer gives them to the parser.

A token is a kind, by which the parsing tables know it, and a value: a `Word` for a word or a sign, a node of the tree
for what the lexer builds itself (strings without interpolations, numbers, raw text), a Diagnostic for `WRONG`. Kinds
are the terminals of grammar.lark: literal ones are their own text.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    from pybuild.lang.source import Span

WRONG: Final = "WRONG"
"""A mistake the lexer has found: no state of the parser goes on with it."""

HARD: Final = frozenset("from to on as in for if elif else and or not with true false".split())
"""Keywords everywhere."""

TOP: Final = ("use", "param", "let", "check", "ignore", "group", "default", "def", "target", "test")
"""Words that start a declaration."""

BODY: Final = (
    *(
        "from",
        "run",
        "exec",
        "copy",
        "write",
        "mkdir",
        "remove",
        "symlink",
        "env",
        "workdir",
        "user",
        "shell",
    ),
    *("label", "annotation", "expose", "volume", "entrypoint", "cmd", "healthcheck", "stop_signal", "tag"),
    *("output", "needs", "let", "check", "if", "elif", "else", "for", "with", "return"),
)
"""Words that start a statement."""

_CLASSES: Final = {
    **dict.fromkeys(("target", "test"), "TARGET"),
    **dict.fromkeys(("label", "annotation"), "LABEL"),
    **dict.fromkeys(
        "workdir user expose volume entrypoint cmd shell stop_signal tag needs".split(), "SIMPLE"
    ),
}

TOP_KINDS: Final = {word: _CLASSES.get(word, word) for word in (*BODY, *TOP)}
"""Kinds of the first word of a line in the first column: also of statements, which may not stand there."""

BODY_KINDS: Final = {word: _CLASSES.get(word, word) for word in BODY}
"""Kinds of the first word of an indented line."""


class Word:
    """A word or a sign of the syntax, or the place of what has no text."""

    __slots__ = ("span", "text")

    def __init__(self, text: str, span: Span) -> None:
        self.text = text
        self.span = span


class Line:
    """A logical line: its tokens, of which the last is `_NL` or a raw block. `indent` counts spaces. `unclosed` is
    the bracket that was open where the line had to end."""

    __slots__ = ("indent", "kinds", "number", "unclosed", "values")

    def __init__(self, indent: int, number: int) -> None:
        self.indent = indent
        self.number = number
        self.kinds: list[str] = []
        self.values: list[Any] = []
        self.unclosed: Word | None = None
