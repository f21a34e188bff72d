"""Visiting of expressions without recursion, so that they may nest and chain as deeply as they like.

A visitor is a generator for one kind of node. It yields each expression whose type it needs with its position
(`At`), is sent the type, and returns the type of its own expression.
"""

from __future__ import annotations

from collections.abc import Generator

from pybuild.lang.textual import tree
from pybuild.lang.textual.check.wanted import Expectation
from pybuild.lang.textual.types import Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.textual.check.checking import Checking
    from pybuild.lang.textual.check.scope import Scope


class At:
    """The position of an expression, or of several alike, such as the items of a list.

    `wanted` None expects nothing. `refused` is the type of an earlier one of them that didn't fit: others of that
    type are the same mistake."""

    __slots__ = ("checking", "refused", "scope", "wanted")

    def __init__(self, scope: Scope, checking: Checking, wanted: Expectation | None = None) -> None:
        self.scope = scope
        self.checking = checking
        self.wanted = wanted
        self.refused: Type | None = None

    def wanting(self, wanted: Expectation | None) -> At:
        return At(self.scope, self.checking, wanted)

    def within(self, scope: Scope) -> At:
        return At(scope, self.checking, self.wanted)

    def report(self, diagnostic: Diagnostic) -> None:
        self.checking.report(diagnostic)


Visit = Generator[tuple[tree.Expr, At], Type, Type]
