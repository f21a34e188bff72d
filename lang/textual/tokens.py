"""Tokens and logical lines, the lexer's output.

A token has a kind, by which the parsing tables know it, and a value: a `Word` for a word or a sign, a node of the
tree for literals without interpolations, a Diagnostic for `WRONG`. Kinds are the terminals of grammar.lark, the
literal ones as their own text.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    from pybuild.lang.source import Span

WRONG: Final = "WRONG"
"""The kind of a mistake found by the lexer. No state of the parser accepts it."""

HARD: Final = frozenset("from to on as in for if elif else and or not with true false".split())
"""Words that are keywords everywhere."""

TOP: Final = ("use", "param", "let", "check", "ignore", "group", "default", "def", "target", "test")
"""First words of declarations."""

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
"""First words of statements."""

_CLASSES: Final = {
    **dict.fromkeys(("target", "test"), "TARGET"),
    **dict.fromkeys(("label", "annotation"), "LABEL"),
    **dict.fromkeys(
        "workdir user expose volume entrypoint cmd shell stop_signal tag needs".split(), "SIMPLE"
    ),
}

TOP_KINDS: Final = {word: _CLASSES.get(word, word) for word in (*BODY, *TOP)}
"""Kinds of the first word of a line in the first column. Statements are included, for the message that they may
not stand there."""

BODY_KINDS: Final = {word: _CLASSES.get(word, word) for word in BODY}
"""Kinds of the first word of an indented line."""


class Word:
    """A word or sign of the syntax, or the place of a token without text."""

    __slots__ = ("span", "text")

    def __init__(self, text: str, span: Span) -> None:
        self.text = text
        self.span = span


class Line:
    """A logical line: its tokens, the last of which is `_NL` or a raw block.

    `indent` is in spaces. `unclosed` is the bracket that was still open when the line had to end."""

    __slots__ = ("indent", "kinds", "number", "unclosed", "values")

    def __init__(self, indent: int, number: int) -> None:
        self.indent = indent
        self.number = number
        self.kinds: list[str] = []
        self.values: list[Any] = []
        self.unclosed: Word | None = None
