"""Converts strings to literals, f-strings, and sums for what an f-string can't hold."""

from __future__ import annotations

from pybuild.lang.convert.pythonsource import literals, shapes
from pybuild.lang.convert.pythonsource.literals import Hole, Piece
from pybuild.lang.convert.pythonsource.making import ATOM, POSTFIX, SUM, TERNARY, At, PythonExpression, api
from pybuild.lang.textual import tree
from pybuild.lang.textual.fmt.docs import flat
from pybuild.lang.textual.types import is_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.lang.textual.fmt.docs import Doc

    Part = tree.Text | tree.ScriptText | tree.Interpolation


def quote_of(parts: Sequence[Part]) -> str:
    """Return the quotes for an f-string."""
    return literals.quote_for(
        "".join(part.value for part in parts if not isinstance(part, tree.Interpolation))
    )


def build(node: tree.String, at: At) -> PythonExpression:
    return text(node.parts, at)


def script(node: tree.Script, at: At) -> PythonExpression:
    """Convert the text of a `write`."""
    return text(node.parts, at)


def text(parts: Sequence[Part], at: At) -> PythonExpression:
    """Convert a text with values in it, which have been converted."""
    quote = at.place.quote or quote_of(parts)
    pieces: list[Piece] = [
        Hole(flat(_inserted(part.value, at))) if isinstance(part, tree.Interpolation) else part.value
        for part in parts
    ]
    whole = literals.formatted(pieces, quote)
    if whole is None:
        return _sum(parts, at)
    rows = literals.rows(pieces)
    if len(rows) < 2 or at.place.quote:
        return PythonExpression(whole, ATOM)
    return PythonExpression(shapes.pieces(whole, [literals.row(one, quote) for one in rows]), ATOM)


def _inserted(value: tree.Expr, at: At) -> Doc:
    alike = at.facts.prints_alike(value)
    return at.of(value) if alike else shapes.call(api("text"), [at.of(value)])


def _sum(parts: Sequence[Part], at: At) -> PythonExpression:
    out: list[tuple[str, Doc]] = []
    for part in parts:
        if not isinstance(part, tree.Interpolation):
            doc: Doc = literals.string(part.value, at.place.quote)
        elif is_text(at.facts.type(part.value)):
            doc = at.again(part.value, SUM + 1)
        else:
            doc = shapes.call(api("text"), [at.again(part.value, TERNARY)])
        out.append(("+" if out else "", doc))
    return (
        PythonExpression(shapes.chain(out), SUM, tuple(out))
        if len(out) > 1
        else PythonExpression(out[0][1], POSTFIX)
    )
