"""Expressions may nest and chain as deeply as they like, and take linear time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pybuild.lang.diagnostics import Diagnostic
from pybuild.lang.source import Source, Span
from pybuild.lang.textual import tree
from pybuild.lang.textual.check.checking import Checking
from pybuild.lang.textual.check.expressions import infer
from pybuild.lang.textual.check.scope import Binding, Scope
from pybuild.lang.textual.check.variables import refuse_variables
from pybuild.lang.textual.types import BOOL, ERROR, INT, STR, ListOf, Type

pytestmark = pytest.mark.long

SPAN = Span(Source("x", "x"), 1, 1, 1, 2)
MANY = 6_000

TEXT = tree.String(SPAN, (tree.Text(SPAN, "x"),))
ONE = tree.Number(SPAN, "int", 1)
YES = tree.Bool(SPAN, True)


def _sum(inner: tree.Expr) -> tree.Expr:
    return tree.Binary(SPAN, "+", inner, TEXT, SPAN)


def _right(inner: tree.Expr) -> tree.Expr:
    return tree.Binary(SPAN, "and", YES, inner, SPAN)


def _method(inner: tree.Expr) -> tree.Expr:
    return tree.Call(SPAN, tree.Attribute(SPAN, inner, tree.Ident(SPAN, "upper")), ())


def _inserted(inner: tree.Expr) -> tree.Expr:
    return tree.String(SPAN, (tree.Text(SPAN, "x"), tree.Interpolation(SPAN, inner)))


CHAINS: list[tuple[str, tree.Expr, Callable[[tree.Expr], tree.Expr], Type]] = [
    ("sum", TEXT, _sum, STR),
    ("and", YES, _right, BOOL),
    ("not", YES, lambda inner: tree.Unary(SPAN, "not", inner), BOOL),
    ("minus", ONE, lambda inner: tree.Unary(SPAN, "-", inner), INT),
    ("parentheses", ONE, lambda inner: tree.Parens(SPAN, inner), INT),
    ("arms", TEXT, lambda inner: tree.Ternary(SPAN, TEXT, YES, inner), STR),
    ("methods", TEXT, _method, STR),
    ("strings", TEXT, _inserted, STR),
    (
        "calls",
        TEXT,
        lambda inner: tree.Call(SPAN, tree.Name(SPAN, "raw"), (tree.Argument(SPAN, None, inner),)),
        STR,
    ),
]


def _checked(expr: tree.Expr, wanted: Type | None = None) -> tuple[Type, list[Diagnostic]]:
    said: list[Diagnostic] = []
    return infer(expr, Scope(), Checking(None, said.append), wanted), said


@pytest.mark.parametrize(
    ("leaf", "grow", "type"), [chain[1:] for chain in CHAINS], ids=[c[0] for c in CHAINS]
)
@pytest.mark.parametrize("asked", [False, True])
def test_chains(leaf: tree.Expr, grow: Callable[[tree.Expr], tree.Expr], type: Type, asked: bool) -> None:
    expr = leaf
    for _ in range(MANY):
        expr = grow(expr)
    assert _checked(expr, type if asked else None) == (type, [])


def test_deep_lists() -> None:
    expr: tree.Expr = ONE
    for _ in range(500):
        expr = tree.List(SPAN, (expr,))
    type, said = _checked(expr)
    assert not said
    depth = 0
    while isinstance(type, ListOf):
        type = type.item
        depth += 1
    assert (type, depth) == (INT, 500)


def test_one_mistake_at_the_bottom_is_one_message() -> None:
    expr: tree.Expr = tree.Name(SPAN, "nowhere")
    for _ in range(MANY):
        expr = _sum(expr)
    type, said = _checked(expr, INT)
    assert type == ERROR
    assert [one.code for one in said] == ["E0201"]


def test_variables_in_a_chain() -> None:
    variable = tree.Variable(SPAN, "X", "$X", 0)
    text = tree.String(SPAN, (tree.Text(SPAN, "$X", (variable,)),))
    expr: tree.Expr = text
    for _ in range(MANY):
        expr = tree.Ternary(SPAN, TEXT, YES, tree.Parens(SPAN, _sum(expr)))
    said: list[Diagnostic] = []
    checking = Checking(None, said.append)
    assert not refuse_variables(expr, Scope(), checking)
    assert not refuse_variables(expr, Scope(), checking)
    assert [one.code for one in said] == ["E0106"]


def test_constants_of_a_long_sum_stay_small() -> None:
    said: list[Diagnostic] = []
    checking = Checking(None, said.append)
    expr: tree.Expr = TEXT
    for _ in range(MANY):
        expr = _sum(expr)
    infer(expr, Scope(), checking)
    assert expr not in checking.constants
    assert max(len(one) for one in checking.constants.values() if isinstance(one, str)) <= 1000


def test_many_names() -> None:
    said: list[Diagnostic] = []
    scope, checking = Scope(), Checking(None, said.append)
    for number in range(MANY):
        scope.bind(Binding(f"n{number}", "let", INT, SPAN), said.append)
    inner = scope.child().child()
    for number in range(MANY):
        assert infer(tree.Name(SPAN, f"n{number}"), inner, checking) == INT
    assert not said
