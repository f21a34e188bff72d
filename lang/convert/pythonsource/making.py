"""Types used in the conversion of expressions: the place of an expression, and its converted form."""

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
"""How tightly an expression binds, loosest first."""

DATA, SOMEWHERE, EXPANDED = range(3)
"""The meaning of `$X` where a text is used: none; it depends, or is an error; a variable of the image."""


@frozen
class Place:
    """The place of an expression. With `builder` there is a `t`. `dollars` is one of `DATA`, `SOMEWHERE`, `EXPANDED`.

    `quote` is the quote that strings have to use, as inside an f-string; "" if they may choose.
    """

    builder: bool
    dollars: int = SOMEWHERE
    quote: str = ""


@frozen(eq=False)
class PythonExpression:
    """A converted expression.

    `parts` are the operands of a chain of operators, each with the operator before it. `in_brackets`: if it is a
    whole statement, its lines end in the brackets of an operand.
    """

    doc: Doc
    level: int
    parts: tuple[tuple[str, Doc], ...] = ()
    in_brackets: bool = False


@frozen(eq=False)
class At:
    """The arguments of a conversion function besides the node."""

    expressions: Expressions
    place: Place
    done: Mapping[tree.Node, PythonExpression]

    @property
    def facts(self) -> Facts:
        return self.expressions.facts

    @property
    def names(self) -> Names:
        return self.expressions.names

    def of(self, node: tree.Node, level: int = TERNARY) -> Doc:
        """Return a part that has to bind at least this tightly."""
        return bound(self.done[node], level)

    def again(self, node: tree.Node, level: int) -> Doc:
        """Convert a part of an f-string that can't be one, at the place of the string."""
        return bound(self.expressions.made(node, self.place), level)


def bound(made: PythonExpression, level: int) -> Doc:
    """Return an expression, in parentheses if it binds less tightly than `level`."""
    return made.doc if made.level >= level else shapes.parenthesised(made.doc)


def bare(expr: tree.Expr) -> tree.Expr:
    """Return an expression without parentheses around it."""
    while isinstance(expr, tree.Parens):
        expr = expr.value
    return expr


def api(name: str) -> str:
    return f"{API}.{name}"
