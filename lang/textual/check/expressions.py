"""Types of expressions (language spec, section 6): names are bound, types are inferred from the leaves up, and
expected types are pushed down into literals, lists, maps and both arms of `if … else`.

`infer` is the entry point. An expression with a mistake has type ERROR, which is compatible with everything.
"""

from __future__ import annotations

from pybuild.lang.textual import tree
from pybuild.lang.textual.check import callees, literals, members, names, operators, selections
from pybuild.lang.textual.check.conformity import conform
from pybuild.lang.textual.check.visit import At, Visit
from pybuild.lang.textual.check.wanted import Expectation
from pybuild.lang.textual.types import ERROR, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    from pybuild.lang.textual.check.checking import Checking
    from pybuild.lang.textual.check.scope import Scope

_LEAVES: Final[dict[type[tree.Expr], Callable[[Any, At], Type]]] = {
    tree.Name: names.name,
    tree.Number: literals.number,
    tree.Bool: literals.boolean,
}
_VISITORS: Final[dict[type[tree.Expr], Callable[[Any, At], Visit]]] = {
    tree.Attribute: members.attribute,
    tree.String: literals.string,
    tree.List: literals.list_,
    tree.Map: literals.map_,
    tree.ListComp: literals.list_comp,
    tree.MapComp: literals.map_comp,
    tree.Ternary: literals.ternary,
    tree.Parens: literals.parens,
    tree.Binary: operators.binary,
    tree.Unary: operators.unary,
    tree.Call: callees.call,
    tree.Index: selections.index,
    tree.Select: selections.select,
}


def infer(
    expr: tree.Expr, scope: Scope, checking: Checking, wanted: Expectation | Type | None = None
) -> Type:
    """Return the type of `expr`. With `wanted`, a type that doesn't fit is reported and becomes ERROR.

    Inferring an expression again reports nothing twice."""
    if wanted is not None and not isinstance(wanted, Expectation):
        wanted = Expectation(wanted)
    at = At(scope, checking, wanted)
    pending: list[tuple[tree.Expr, At, Visit]] = []
    while True:
        # Leaves are most of all expressions, and need no generator.
        leaf = _LEAVES.get(type(expr))
        type_: Type | None = None
        if leaf is not None:
            type_ = checking.types[expr] = conform(expr, leaf(expr, at), at)
        else:
            pending.append((expr, at, _VISITORS[type(expr)](expr, at)))
        while pending:
            asker, asker_at, visit = pending[-1]
            try:
                expr, at = next(visit) if type_ is None else visit.send(type_)
                break
            except StopIteration as stop:
                pending.pop()
                type_ = checking.types[asker] = conform(asker, stop.value, asker_at)
        else:
            return type_ or ERROR
