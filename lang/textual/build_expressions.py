"""Builders of expressions and types: one function per rule of grammar.lark that makes a value, called with its
parts."""

from __future__ import annotations

from pybuild.lang.source import Span
from pybuild.lang.textual import tree
from pybuild.lang.textual.tokens import Word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    Parts = list[Any]
    Build = Callable[[Parts], Any]


def over(first: Any, last: Any) -> Span:
    """Return the span from the start of one part to the end of another."""
    a, b = first.span, last.span
    return Span(a.source, a.line, a.column, b.end_line, b.end_column)


def ident(word: Word) -> tree.Ident:
    return tree.Ident(word.span, word.text)


# Lists


def _one(v: Parts) -> Parts:
    return [v[0]]


def _more(v: Parts) -> Parts:
    v[0].append(v[2])
    return v[0]  # type: ignore[no-any-return]


def _also(v: Parts) -> Parts:
    v[0].append(v[1])
    return v[0]  # type: ignore[no-any-return]


def _listed(v: Parts) -> Any:
    return v[0]


# Expressions


def _name(v: Parts) -> tree.Name:
    return tree.Name(v[0].span, v[0].text)


def _bool(v: Parts) -> tree.Bool:
    return tree.Bool(v[0].span, v[0].text == "true")


def _string(v: Parts) -> tree.String:
    return tree.String(over(v[0], v[2]), tuple(part for part in v[1] if type(part) is not Word))


def _interpolation(v: Parts) -> tree.Interpolation:
    return tree.Interpolation(over(v[0], v[2]), v[1])


def _script(v: Parts) -> tree.Script:
    start: tree.Script = v[0]
    parts = tuple(part for part in v[1] if type(part) is not Word)
    return tree.Script(over(start, v[2]), parts, start.block, start.indent)


def _ternary(v: Parts) -> tree.Ternary:
    return tree.Ternary(over(v[0], v[4]), v[0], v[2], v[4])


def _binary(v: Parts) -> tree.Binary:
    return tree.Binary(over(v[0], v[2]), v[1].text, v[0], v[2], v[1].span)


def _not_in(v: Parts) -> tree.Binary:
    return tree.Binary(over(v[0], v[3]), "not in", v[0], v[3], over(v[1], v[2]))


def _unary(v: Parts) -> tree.Unary:
    return tree.Unary(over(v[0], v[1]), v[0].text, v[1])


def _parens(v: Parts) -> tree.Parens:
    return tree.Parens(over(v[0], v[2]), v[1])


def _attribute(v: Parts) -> tree.Attribute:
    return tree.Attribute(over(v[0], v[2]), v[0], ident(v[2]))


def _call_of(v: Parts) -> tree.Call:
    return tree.Call(over(v[0], v[-1]), v[0], tuple(v[2]) if len(v) == 4 else ())


def _index(v: Parts) -> tree.Index:
    return tree.Index(over(v[0], v[3]), v[0], v[2])


def _select(v: Parts) -> tree.Select:
    return tree.Select(over(v[0], v[3]), v[0], tuple(v[2]))


def _list(v: Parts) -> tree.List:
    return tree.List(over(v[0], v[-1]), tuple(v[1]) if len(v) == 3 else ())


def _list_comp(v: Parts) -> tree.ListComp:
    return tree.ListComp(over(v[0], v[3]), v[1], tuple(v[2]))


def _map(v: Parts) -> tree.Map:
    return tree.Map(over(v[0], v[-1]), tuple(v[1]) if len(v) == 3 else ())


def _map_comp(v: Parts) -> tree.MapComp:
    return tree.MapComp(over(v[0], v[3]), v[1], tuple(v[2]))


def _entry(v: Parts) -> tree.Entry:
    return tree.Entry(over(v[0], v[2]), v[0], v[2])


def _axis_for(v: Parts) -> tree.AxisFor:
    return tree.AxisFor(over(v[0], v[3]), ident(v[1]), v[3])


def _axis_if(v: Parts) -> tree.AxisIf:
    return tree.AxisIf(over(v[0], v[1]), v[1])


def _opt(v: Parts) -> tree.Argument:
    return tree.Argument(over(v[0], v[2]), ident(v[0]), v[2])


def _positional(v: Parts) -> tree.Argument:
    return tree.Argument(v[0].span, None, v[0])


# Types


def _type_name(v: Parts) -> tree.TypeName:
    return tree.TypeName(v[0].span, v[0].text)


def _type_of(v: Parts) -> tree.TypeOf:
    return tree.TypeOf(over(v[0], v[3]), ident(v[0]), v[2])


def _type_lits(v: Parts) -> tree.TypeLits:
    options = v[0]
    return tree.TypeLits(over(options[0], options[-1]), tuple(options))


EXPRESSIONS: Final[dict[str, Build]] = {
    "one": _one,
    "more": _more,
    "also": _also,
    "listed": _listed,
    "name": _name,
    "bool": _bool,
    "string": _string,
    "interpolation": _interpolation,
    "script": _script,
    "ternary": _ternary,
    "binary": _binary,
    "not_in": _not_in,
    "unary": _unary,
    "parens": _parens,
    "attribute": _attribute,
    "call_of": _call_of,
    "index": _index,
    "select": _select,
    "list": _list,
    "list_comp": _list_comp,
    "map": _map,
    "map_comp": _map_comp,
    "entry": _entry,
    "axis_for": _axis_for,
    "axis_if": _axis_if,
    "opt": _opt,
    "positional": _positional,
    "type_name": _type_name,
    "type_of": _type_of,
    "type_lits": _type_lits,
}
"""Builders of expressions, types and lists of them."""

GROWING: Final = frozenset(
    (
        *(
            "ternary",
            "binary",
            "not_in",
            "unary",
            "parens",
            "attribute",
            "call_of",
            "index",
            "select",
            "list",
        ),
        *("list_comp", "map", "map_comp", "interpolation", "type_of"),
    )
)
"""Builders of values that nest: one level deeper than their deepest part."""
