"""What making Python of an expression works with: where the expression stands, and what has been made of it."""

from __future__ import annotations

from attrs import frozen

from pybuild.lang.convert.pythonsource import shapes
from pybuild.lang.convert.pythonsource.names import API
from pybuild.lang.textual import tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pybuild.lang.convert.pythonsource.expressions import Expressions
    from pybuild.lang.convert.pythonsource.facts import Facts
    from pybuild.lang.convert.pythonsource.names import Names
    from pybuild.lang.textual.fmt.docs import Doc

TERNARY, OR, AND, NOT, COMPARISON, SUM, PRODUCT, UNARY, POSTFIX, ATOM = range(10)
"""How tightly something binds."""

DATA, SOMEWHERE, EXPANDED = range(3)
"""What `$X` means where a text goes to: nothing; it depends, or it is an error; a variable of the image."""


@frozen
class Place:
    """Where an expression stands. `builder`: there is a `t`. `dollars` is one of `DATA`, `SOMEWHERE`, `EXPANDED`.
    `quote` is the one that strings have to use, as inside of an f-string; "" if they may choose."""

    builder: bool
    dollars: int = SOMEWHERE
    quote: str = ""


@frozen(eq=False)
class Made:
    """`parts` are the operands of a chain of operators, each with the operator before it. `in_brackets`: where it is
    all of a statement, its lines end in the brackets of an operand."""

    doc: Doc
    level: int
    parts: tuple[tuple[str, Doc], ...] = ()
    in_brackets: bool = False


@frozen(eq=False)
class At:
    """What a function for a class of nodes is given besides the node."""

    expressions: Expressions
    place: Place
    done: Mapping[tree.Node, Made]

    @property
    def facts(self) -> Facts:
        return self.expressions.facts

    @property
    def names(self) -> Names:
        return self.expressions.names

    def of(self, node: tree.Node, level: int = TERNARY) -> Doc:
        """A part that has to bind at least so tightly."""
        return bound(self.done[node], level)

    def again(self, node: tree.Node, level: int) -> Doc:
        """A part of an f-string that there is none for, where the string stands."""
        return bound(self.expressions.made(node, self.place), level)


def bound(made: Made, level: int) -> Doc:
    return made.doc if made.level >= level else shapes.parenthesised(made.doc)


def bare(expr: tree.Expr) -> tree.Expr:
    """An expression without parentheses around it."""
    while isinstance(expr, tree.Parens):
        expr = expr.value
    return expr


def api(name: str) -> str:
    return f"{API}.{name}"
