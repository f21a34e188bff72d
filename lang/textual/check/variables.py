"""`$X` in strings that nothing expands (E0106): image references, tags, paths, mount points, URLs."""

from __future__ import annotations

from pybuild.lang.textual import tree
from pybuild.lang.textual.check.visit import At
from pybuild.lang.textual.problems.types import unexpanded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.textual.check.checking import Checking
    from pybuild.lang.textual.check.scope import Scope

_MEANT = {"param": "param", "let": "`let`", "parameter": "parameter", "axis": "axis", "loop": "loop variable"}


def refuse_variables(expr: tree.Expr, scope: Scope, checking: Checking) -> bool:
    """Report each `$X` in the strings that `expr` can evaluate to: itself, arms, items, and operands of `+`.

    Returns whether there was none. A string is reported once, even if it is checked again."""
    at = At(scope, checking)
    pending, valid = [expr], True
    while pending:
        current = pending.pop()
        if isinstance(current, tree.String):
            valid = allowed(current, at) and valid
        elif isinstance(current, tree.Parens):
            pending.append(current.value)
        elif isinstance(current, tree.Ternary):
            pending += (current.otherwise, current.then)
        elif isinstance(current, tree.List):
            pending += reversed(current.items)
        elif isinstance(current, tree.Binary) and current.op == "+":
            pending += (current.right, current.left)
    return valid


def allowed(expr: tree.Expr, at: At) -> bool:
    """Tell whether `expr` is not a string with variables. Reports the variables."""
    if not isinstance(expr, tree.String):
        return True
    variables = [one for part in expr.parts if isinstance(part, tree.Text) for one in part.variables]
    for variable in variables:
        if variable not in at.checking.refused:
            at.checking.refused.add(variable)
            name, kind = _meant(variable.name, at.scope)
            at.report(unexpanded(variable.span, variable.text, name, kind))
    return not variables


def _meant(name: str, scope: Scope) -> tuple[str, str]:
    """Return the name in the file that a variable probably means, and its kind."""
    for word in (name, name.lower()):
        binding = scope.find(word) if word else None
        if binding is not None and binding.kind in _MEANT:
            return word, _MEANT[binding.kind]
    return "", ""
