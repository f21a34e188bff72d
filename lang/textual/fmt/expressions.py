"""Expressions and types as documents: one function per node class, which uses the documents of the node's parts."""

from __future__ import annotations

import re

from pybuild.lang.textual import tree
from pybuild.lang.textual.fmt import strings
from pybuild.lang.textual.fmt.docs import (
    HARD,
    SOFT,
    SPACE,
    Chain,
    Concat,
    Doc,
    Group,
    Nest,
    Remark,
    Trailing,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, Final

    from pybuild.lang.textual.fmt.remarks import Key, Remarks

_LEVELS: Final = {
    **dict.fromkeys(("or",), 1),
    **dict.fromkeys(("and",), 2),
    **dict.fromkeys(("in", "not in", "==", "!=", "<", "<=", ">", ">="), 3),
    **dict.fromkeys(("+", "-"), 4),
    **dict.fromkeys(("*", "//", "%"), 5),
}
_TERNARY: Final = 0
_OCTAL: Final = re.compile("[1-7][0-7]+")
_WITH_MODE: Final = frozenset(("cache", "secret", "http"))
"""Functions with a file `mode`."""


class Parts:
    """The documents of nodes so far, and the comments in their brackets. `functions` are names that the file
    defines itself."""

    __slots__ = ("docs", "functions", "remarks")

    def __init__(self, remarks: Mapping[Key, Remarks], functions: frozenset[str]) -> None:
        self.docs: dict[tree.Node, Doc] = {}
        self.remarks = remarks
        self.functions = functions

    def __getitem__(self, node: tree.Node) -> Doc:
        return self.docs[node]

    def add(self, nodes: Iterable[tree.Node]) -> None:
        """Build the documents of expressions and types. In `nodes`, each precedes its children."""
        for node in reversed(list(nodes)):
            build = _BUILD.get(type(node))
            if build is not None:
                self.docs[node] = build(node, self)


def joined(docs: Iterable[Doc], separator: str = ", ") -> list[Doc]:
    out: list[Doc] = []
    for doc in docs:
        if out:
            out.append(separator)
        out.append(doc)
    return out


def bracketed(
    opening: str, items: Sequence[Doc], closing: str, remarks: Remarks | None = None, *, comma: str = ","
) -> Doc:
    """Return brackets that are on one line, or have one item per line and a comma after the last."""
    if not items and remarks is None:
        return opening + closing
    body: list[Doc] = []
    for index, item in enumerate(items):
        body.append(SPACE if index else SOFT)
        for text in remarks.above.get(index, ()) if remarks else ():
            body += [text, HARD]
        body += [item, comma if index + 1 < len(items) else Trailing(comma)]
        body += [Remark(text) for text in remarks.behind.get(index, ())] if remarks else []
    for text in remarks.closing if remarks else ():
        body += [HARD, text]
    first = [Remark(text) for text in remarks.opening] if remarks else []
    return Group([opening, Nest([*first, *body]), SOFT, closing])


def named(argument: tree.Argument, parts: Parts, *, modes: bool = False) -> Doc:
    """Return an argument or option. A number that is a mode is written in octal."""
    value = argument.value
    if argument.name is None:
        return parts[value]
    mode = _mode(value) if modes and argument.name.name == "mode" else None
    return Concat([f"{argument.name.name}=", parts[value] if mode is None else mode])


def _mode(value: tree.Expr) -> str | None:
    """Return a number as a mode, None for `755`: in octal it would be another mode. The check reports it."""
    if not isinstance(value, tree.Number) or value.kind != "int":
        return None
    return None if _OCTAL.fullmatch(written(value)) else f"0o{value.value:o}"


def assigned(argument: tree.Argument, parts: Parts) -> Doc:
    assert argument.name is not None
    return Concat([f"{argument.name.name} = ", parts[argument.value]])


def axes(clauses: Sequence[tree.Axis], parts: Parts) -> list[Doc]:
    return [parts[clause] for clause in clauses]


def written(node: tree.Node) -> str:
    """Return the text of a node on one row, unchanged."""
    span = node.span
    return span.source.line(span.line)[span.column - 1 : span.end_column - 1]


# Nodes


def _name(node: tree.Name | tree.TypeName, parts: Parts) -> Doc:
    return node.name


def _string(node: tree.String, parts: Parts) -> Doc:
    return strings.string(node, parts.docs)


def _number(node: tree.Number, parts: Parts) -> Doc:
    return written(node)


def _bool(node: tree.Bool, parts: Parts) -> Doc:
    return "true" if node.value else "false"


def _list(node: tree.List, parts: Parts) -> Doc:
    return bracketed("[", [parts[item] for item in node.items], "]", parts.remarks.get((node, 0)))


def _map(node: tree.Map, parts: Parts) -> Doc:
    return bracketed("{", [parts[entry] for entry in node.entries], "}", parts.remarks.get((node, 0)))


def _entry(node: tree.Entry, parts: Parts) -> Doc:
    return Concat([parts[node.key], ": ", parts[node.value]])


def _list_comp(node: tree.ListComp, parts: Parts) -> Doc:
    items = [parts[node.item], *axes(node.axes, parts)]
    return bracketed("[", items, "]", parts.remarks.get((node, 0)), comma="")


def _map_comp(node: tree.MapComp, parts: Parts) -> Doc:
    items = [parts[node.entry], *axes(node.axes, parts)]
    return bracketed("{", items, "}", parts.remarks.get((node, 0)), comma="")


def _axis_for(node: tree.AxisFor, parts: Parts) -> Doc:
    return Concat([f"for {node.name.name} in ", parts[node.values]])


def _axis_if(node: tree.AxisIf, parts: Parts) -> Doc:
    return Concat(["if ", parts[node.condition]])


def _ternary(node: tree.Ternary, parts: Parts) -> Doc:
    condition, otherwise = Concat(["if ", parts[node.condition]]), Concat(["else ", parts[node.otherwise]])
    pieces = [*_before(node, parts), condition, *_before(node, parts, 1), otherwise]
    return Chain([parts[node.then], *pieces], _TERNARY)


def _binary(node: tree.Binary, parts: Parts) -> Doc:
    left, level = parts[node.left], _LEVELS[node.op]
    more = [*_before(node, parts), f"{node.op} ", parts[node.right]]
    if isinstance(left, Chain) and left.level == level:
        left.extend(more)
        return left
    return Chain([left, *more], level)


def _before(node: tree.Expr, parts: Parts, index: int = 0) -> list[Doc]:
    """Return the parts between an operand and the operator after it."""
    remarks = parts.remarks.get((node, index))
    if remarks is None:
        return [SPACE]
    above: list[Doc] = [piece for text in remarks.closing for piece in (HARD, text)]
    return [*map(Remark, remarks.opening), *above, SPACE]


def _unary(node: tree.Unary, parts: Parts) -> Doc:
    return Concat(["not " if node.op == "not" else node.op, parts[node.operand]])


def _parens(node: tree.Parens, parts: Parts) -> Doc:
    value = parts[node.value]
    if isinstance(value, Chain):
        value.nested = False
    return bracketed("(", [value], ")", parts.remarks.get((node, 0)), comma="")


def _attribute(node: tree.Attribute, parts: Parts) -> Doc:
    return Concat([parts[node.value], f".{node.name.name}"])


def _call(node: tree.Call, parts: Parts) -> Doc:
    function = node.function
    modes = (
        isinstance(function, tree.Name)
        and function.name in _WITH_MODE
        and function.name not in parts.functions
    )
    arguments = [named(one, parts, modes=modes) for one in node.arguments]
    return Concat([parts[function], bracketed("(", arguments, ")", parts.remarks.get((node, 0)))])


def _index(node: tree.Index, parts: Parts) -> Doc:
    return Concat([parts[node.value], "[", parts[node.index], "]"])


def _select(node: tree.Select, parts: Parts) -> Doc:
    chosen = joined(named(one, parts) for one in node.arguments)
    return Concat([parts[node.value], "[", *chosen, "]"])


def _type_of(node: tree.TypeOf, parts: Parts) -> Doc:
    return Concat([f"{node.name.name}[", parts[node.argument], "]"])


def _type_lits(node: tree.TypeLits, parts: Parts) -> Doc:
    return Concat(joined((parts[option] for option in node.options), " | "))


_BUILD: Final[dict[type, Callable[[Any, Parts], Doc]]] = {
    tree.Name: _name,
    tree.String: _string,
    tree.Number: _number,
    tree.Bool: _bool,
    tree.List: _list,
    tree.Entry: _entry,
    tree.Map: _map,
    tree.AxisFor: _axis_for,
    tree.AxisIf: _axis_if,
    tree.ListComp: _list_comp,
    tree.MapComp: _map_comp,
    tree.Ternary: _ternary,
    tree.Binary: _binary,
    tree.Unary: _unary,
    tree.Parens: _parens,
    tree.Attribute: _attribute,
    tree.Call: _call,
    tree.Index: _index,
    tree.Select: _select,
    tree.TypeName: _name,
    tree.TypeOf: _type_of,
    tree.TypeLits: _type_lits,
}
