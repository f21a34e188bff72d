"""Decides which texts are marked `pb.plain`, for the sake of `$X` in them.

The language tells variables and data apart where a text is written. In Python every `$X` of a text that is used where
variables are expanded is one, unless the whole text is `pb.plain`. A text is judged by the leaves of its `+` and
interpolations; the name of a `let` counts as its value.
"""

from __future__ import annotations

from pybuild.lang.convert.pythonsource.making import EXPANDED, SOMEWHERE, bare
from pybuild.lang.textual import builtins, tree
from pybuild.lang.textual.literals import with_variables
from pybuild.lang.textual.types import is_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from pybuild.lang.convert.pythonsource.facts import Facts

_DATA_KINDS: Final = frozenset(("param", "axis", "loop"))


def is_plain(expr: tree.Expr, dollars: int, facts: Facts) -> bool:
    """True if a text is to be `pb.plain`.

    It has no variables, and either it may have a `$` and is used where variables are expanded, or it certainly has
    one.
    """
    if isinstance(expr, tree.Parens) or not is_text(facts.type(expr)):
        return False
    binding = facts.binding(expr)
    if binding is not None and isinstance(binding.node, tree.Let):
        value = bare(binding.node.value)
        if not isinstance(value, tree.Name) and is_plain(value, SOMEWHERE, facts):
            return False
    leaves = _leaves(expr, facts)
    if not all(_is_data(one, facts) for one in leaves):
        return False
    if len(leaves) == 1 and isinstance(leaves[0], tree.String) and _is_literal(leaves[0]):
        return _has_literal(leaves[0])
    if dollars == EXPANDED:
        return not all(_is_safe(one, facts) for one in leaves)
    return any(isinstance(one, tree.String) and _has_stray(one) for one in leaves)


def is_mixed(expr: tree.Expr, facts: Facts) -> bool:
    """True if a text that isn't `pb.plain` has a `$X` that is no variable."""
    if not isinstance(expr, tree.String | tree.Binary) or not is_text(facts.type(expr)):
        return False
    return any(isinstance(one, tree.String) and _has_literal(one) for one in _leaves(expr, facts))


def _leaves(expr: tree.Expr, facts: Facts) -> list[tree.Expr]:
    out: list[tree.Expr] = []
    lets: set[tree.Node] = set()
    waiting = [expr]
    while waiting:
        node = waiting.pop()
        binding = facts.binding(node) if isinstance(node, tree.Name) else None
        if isinstance(node, tree.Parens):
            waiting.append(node.value)
        elif isinstance(node, tree.Ternary):
            waiting += [node.then, node.otherwise]
        elif isinstance(node, tree.Binary) and node.op == "+":
            waiting += [node.left, node.right]
        elif binding is not None and isinstance(binding.node, tree.Let):
            waiting += [binding.node.value] if binding.node not in lets else []
            lets.add(binding.node)
        else:
            out.append(node)
    return out


def _is_data(expr: tree.Expr, facts: Facts) -> bool:
    if isinstance(expr, tree.String):
        return not any(part.variables for part in expr.parts if isinstance(part, tree.Text))
    if isinstance(expr, tree.Name):
        binding = facts.binding(expr)
        return binding is None or binding.kind in _DATA_KINDS
    if isinstance(expr, tree.Call):
        return facts.gives_data(expr)
    return facts.has_no_dollar(expr)


def _is_safe(expr: tree.Expr, facts: Facts) -> bool:
    if isinstance(expr, tree.Call) and facts.callee(expr) is builtins.FUNCTIONS["str"]:
        return all(facts.has_no_dollar(one.value) for one in expr.arguments)
    if not isinstance(expr, tree.String):
        return facts.has_no_dollar(expr)
    return not _has_stray(expr) and all(
        facts.has_no_dollar(part.value) for part in expr.parts if isinstance(part, tree.Interpolation)
    )


def _is_literal(node: tree.String) -> bool:
    return not any(isinstance(part, tree.Interpolation) for part in node.parts)


def _has_literal(node: tree.String) -> bool:
    """True if it has a `$X` that looks like a variable and is none."""
    return any(
        "$" in part.value and len(with_variables(part.value, part.span).variables) > len(part.variables)
        for part in node.parts
        if isinstance(part, tree.Text)
    )


def _has_stray(node: tree.String) -> bool:
    """True if it has a `$` that begins no variable: with the text after it, it may look like one."""
    return any(
        part.value.count("$") > len(part.variables) for part in node.parts if isinstance(part, tree.Text)
    )
