"""What statements are called and how a body is: the kinds of the spec's section 8."""

from __future__ import annotations

from pybuild.lang.source import Span
from pybuild.lang.textual import tree
from pybuild.lang.textual.types import NAMED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

TARGET: Final = "target"
TEST: Final = "test"
STEP: Final = "step"
STATE: Final = "state"
VALUE: Final = "value"

_WORDS: Final = {
    tree.Let: "let",
    tree.Check: "check",
    tree.From: "from",
    tree.Run: "run",
    tree.Exec: "exec",
    tree.Copy: "copy",
    tree.Write: "write",
    tree.Mkdir: "mkdir",
    tree.Remove: "remove",
    tree.Symlink: "symlink",
    tree.Env: "env",
    tree.EnvMap: "env",
    tree.Output: "output",
    tree.Healthcheck: "healthcheck",
    tree.Return: "return",
    tree.If: "if",
    tree.For: "for",
    tree.With: "with",
}


def word(statement: tree.Stmt) -> str:
    """The first word of a statement, "" for a call."""
    if isinstance(statement, tree.Simple | tree.Label | tree.LabelMap | tree.Broken):
        return statement.keyword
    return _WORDS.get(type(statement), "")


def word_span(statement: tree.Stmt) -> Span:
    """The place of that word; of a call, all of it."""
    span, length = statement.span, len(word(statement))
    if not length:
        return span
    return Span(span.source, span.line, span.column, span.line, span.column + length)


def kind(decl: tree.Target | tree.Def) -> str:
    """The kind of a body. A function whose type doesn't exist is what it looks like."""
    if isinstance(decl, tree.Target):
        return TEST if decl.kind == "test" else TARGET
    if decl.returns is None:
        return STEP
    if not isinstance(decl.returns, tree.TypeName):
        return VALUE
    known = decl.returns.name in NAMED or decl.returns.name in ("list", "map")
    return STATE if decl.returns.name == "state" or (not known and starts_state(decl)) else VALUE


def starts_state(decl: tree.Target | tree.Def) -> bool:
    """Whether it is a function that starts with `from`, whatever it says that it returns."""
    return isinstance(decl, tree.Def) and decl.returns is not None and isinstance(decl.body[0], tree.From)
