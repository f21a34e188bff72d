"""Calls as statements: steps."""

from __future__ import annotations

from pybuild.lang.textual import tree
from pybuild.lang.textual.check.expressions import infer
from pybuild.lang.textual.check.wanted import Expectation
from pybuild.lang.textual.habits import MEANT
from pybuild.lang.textual.problems import calls as problems
from pybuild.lang.textual.problems.excerpt import excerpt
from pybuild.lang.textual.problems.types import shown
from pybuild.lang.textual.tokens import BODY
from pybuild.lang.textual.types import ERROR, STEP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from pybuild.lang.textual.check.checking import Checking
    from pybuild.lang.textual.check.scope import Scope

_STATEMENT: Final = Expectation(STEP)


def _foreign(expr: tree.Expr, scope: Scope) -> tree.Name | None:
    """Return the first word of a line if it is a statement in another language, or here in other letters: `pass`,
    `CMD ["x"]`."""
    while not isinstance(expr, tree.Name):
        if not isinstance(expr, tree.Index | tree.Call | tree.Attribute):
            return None
        expr = expr.function if isinstance(expr, tree.Call) else expr.value
    known = expr.name.lower() in BODY or expr.name.lower() in MEANT
    bound = scope.lookup(expr.name) or scope.find(expr.name, callable=True)
    return expr if known and bound is None else None


def call_statement(statement: tree.CallStmt, scope: Scope, checking: Checking) -> None:
    """Check a statement that should be a call of a step. Reports E0406 for anything with a value, E0112 for an
    unknown name."""
    expr = statement.call
    if (word := _foreign(expr, scope)) is not None:
        near = next((one for one in BODY if one == word.name.lower()), None)
        checking.report(
            problems.unknown_statement(word.name, word.span, near, MEANT.get(word.name.lower(), ""))
        )
        return
    type = infer(expr, scope, checking, _STATEMENT)
    if type in (STEP, ERROR):
        return
    name = ""
    if isinstance(expr, tree.Call):
        name = excerpt(expr.function.span)
    checking.report(problems.value_as_statement(expr.span, name, shown(type)))
