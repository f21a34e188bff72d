"""`$X` in strings where nothing expands it (E0106): references of images, tags, paths, mount points, addresses."""

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
    """Reports each `$X` in the strings that `expr` may come to: itself, arms, items, and what `+` joins. Returns
    whether there was none. A string is looked at once, however often it is asked about."""
    at = At(scope, checking)
    pending, fine = [expr], True
    while pending:
        one = pending.pop()
        if isinstance(one, tree.String):
            fine = allowed(one, at) and fine
        elif isinstance(one, tree.Parens):
            pending.append(one.value)
        elif isinstance(one, tree.Ternary):
            pending += (one.otherwise, one.then)
        elif isinstance(one, tree.List):
            pending += reversed(one.items)
        elif isinstance(one, tree.Binary) and one.op == "+":
            pending += (one.right, one.left)
    return fine


def allowed(expr: tree.Expr, at: At) -> bool:
    """Whether `expr` is no string with variables in it, which are reported."""
    if not isinstance(expr, tree.String):
        return True
    found = [one for part in expr.parts if isinstance(part, tree.Text) for one in part.variables]
    for variable in found:
        if variable not in at.checking.refused:
            at.checking.refused.add(variable)
            name, kind = _meant(variable.name, at.scope)
            at.report(unexpanded(variable.span, variable.text, name, kind))
    return not found


def _meant(name: str, scope: Scope) -> tuple[str, str]:
    """The name of the file that a variable means, and what it is."""
    for word in (name, name.lower()):
        binding = scope.find(word) if word else None
        if binding is not None and binding.kind in _MEANT:
            return word, _MEANT[binding.kind]
    return "", ""
