"""The words of statements and the kinds of bodies (language spec, section 8)."""

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
    """Return the first word of a statement, "" for a call."""
    if isinstance(statement, tree.Simple | tree.Label | tree.LabelMap | tree.Broken):
        return statement.keyword
    return _WORDS.get(type(statement), "")


def word_span(statement: tree.Stmt) -> Span:
    """Return the span of the first word, or of a whole call."""
    span, length = statement.span, len(word(statement))
    if not length:
        return span
    return Span(span.source, span.line, span.column, span.line, span.column + length)


def kind(decl: tree.Target | tree.Def) -> str:
    """Return the kind of a body. A function with an unknown type counts as the kind that it resembles."""
    if isinstance(decl, tree.Target):
        return TEST if decl.kind == "test" else TARGET
    if decl.returns is None:
        return STEP
    if not isinstance(decl.returns, tree.TypeName):
        return VALUE
    known = decl.returns.name in NAMED or decl.returns.name in ("list", "map")
    return STATE if decl.returns.name == "state" or (not known and starts_state(decl)) else VALUE


def starts_state(decl: tree.Target | tree.Def) -> bool:
    """Tell whether a declaration is a function that starts with `from`, whatever its declared type."""
    return isinstance(decl, tree.Def) and decl.returns is not None and isinstance(decl.body[0], tree.From)
