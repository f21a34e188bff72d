"""Conversion of a syntax tree to plain values and back: the form in which a cache of parsed files stores it, which
`marshal` can write.

    (FORMAT, header, comments, declarations, groups)

Nodes are numbered as they stand in `groups`, children before their parents. A group has the nodes of one class at
one height, as columns: the number of the class, then the four numbers of the spans, then each field. In a column a
child is the number of its node, several children are a tuple of numbers, and an absent one is None; `header`,
`comments` and `declarations` refer to nodes likewise. Columns make reading fast, and nothing recurses.
"""

from __future__ import annotations

from itertools import chain, repeat

from attrs import fields

from pybuild.lang.source import Source, Span
from pybuild.lang.textual import tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Final

    Plain = tuple[Any, ...]
    Column = tuple[Any, ...]

FORMAT: Final = 1
"""The version of this form. Raise it when the tree or its columns change."""

_NODES: Final = tuple(
    one for one in vars(tree).values() if isinstance(one, type) and issubclass(one, tree.Node)
)
_CLASSES: Final = tuple(one for one in _NODES if one not in (tree.Node, tree.Expr, tree.File, tree.Ready))
_NUMBERS: Final = {one: number for number, one in enumerate(_CLASSES)}
_SCALARS: Final = {"str": str, "int": int, "bool": bool}


class _Field:
    """A field of a node class. `kind` is `scalar`, `span`, `part` or `parts`; `classes` are the allowed classes of
    the value, or of each part."""

    __slots__ = ("classes", "kind", "name", "optional")

    def __init__(self, name: str, annotation: str) -> None:
        self.name = name
        self.optional = annotation.endswith(" | None")
        inner = annotation.removesuffix(" | None")
        self.kind = "scalar" if inner in _SCALARS else "span" if inner == "Span" else "part"
        if inner.startswith("tuple["):
            self.kind, inner = "parts", inner.removeprefix("tuple[").removesuffix(", ...]")
        self.classes = frozenset(chain.from_iterable(map(_classes, inner.split(" | "))))


def _classes(name: str) -> Iterable[type]:
    """Return the classes that a name in an annotation of the tree stands for, subclasses included."""
    resolved: Any = _SCALARS.get(name) or getattr(tree, name, Span)
    members: tuple[type, ...] = getattr(resolved, "__args__", (resolved,))
    return (one for member in members for one in (member, *_CLASSES) if issubclass(one, member))


_FIELDS: Final = {
    node: tuple(_Field(one.name, str(one.type)) for one in fields(node) if one.name != "span")
    for node in _CLASSES
}


def to_plain(file: tree.File) -> Plain:
    """Return the plain form of a file, the input of `from_plain`."""
    roots: list[tree.Node] = [*file.decls, *file.comments, *([file.header] if file.header else [])]
    groups: dict[tuple[int, int], list[tree.Node]] = {}
    for node, height in _heights(roots).items():
        groups.setdefault((height, _NUMBERS[type(node)]), []).append(node)
    # Keys start with the height, so children precede their parents.
    order = sorted(groups)
    numbers = {node: number for number, node in enumerate(chain.from_iterable(groups[key] for key in order))}
    return (
        FORMAT,
        None if file.header is None else numbers[file.header],
        tuple(numbers[one] for one in file.comments),
        tuple(numbers[one] for one in file.decls),
        tuple(_group(_CLASSES[key[1]], groups[key], numbers) for key in order),
    )


def _heights(roots: list[tree.Node]) -> dict[tree.Node, int]:
    """Return all nodes below the roots, each with the number of levels below it."""
    heights: dict[tree.Node, int] = {}
    waiting = [(node, False) for node in reversed(roots)]
    while waiting:
        node, opened = waiting.pop()
        parts = _parts(node)
        if opened or not parts:
            heights[node] = 1 + max((heights[part] for part in parts), default=-1)
        else:
            waiting.append((node, True))
            waiting += [(part, False) for part in reversed(parts)]
    return heights


def _parts(node: tree.Node) -> list[tree.Node]:
    out: list[tree.Node] = []
    for field in _FIELDS[type(node)]:
        value = getattr(node, field.name)
        if value is not None and field.kind == "part":
            out.append(value)
        elif value is not None and field.kind == "parts":
            out += value
    return out


def _group(node: type[tree.Node], members: list[tree.Node], numbers: dict[tree.Node, int]) -> Plain:
    spans = [member.span for member in members]
    return (
        _NUMBERS[node],
        tuple(span.line for span in spans),
        tuple(span.column for span in spans),
        tuple(span.end_line for span in spans),
        tuple(span.end_column for span in spans),
        *(
            _column(field, [getattr(member, field.name) for member in members], numbers)
            for field in _FIELDS[node]
        ),
    )


def _column(field: _Field, values: list[Any], numbers: dict[tree.Node, int]) -> Column:
    if field.kind == "part":
        return tuple(None if value is None else numbers[value] for value in values)
    if field.kind == "parts":
        return tuple(None if value is None else tuple(numbers[one] for one in value) for value in values)
    if field.kind == "span":
        return tuple((span.line, span.column, span.end_line, span.end_column) for span in values)
    return tuple(values)


def from_plain(value: object, source: Source) -> tree.File:
    """Return the file that `to_plain` converted to `value`. `source` must be the same text. Raises ValueError for
    a value of any other form."""
    try:
        return _file(value, source)
    except (TypeError, IndexError, KeyError) as error:
        raise ValueError(f"not a tree: {error}") from None


def _file(value: Any, source: Source) -> tree.File:
    # The value may be damaged or of another version, so everything is checked before use.
    _demand(type(value) is tuple and len(value) == 5 and value[0] == FORMAT)
    _, header, comments, decls, groups = value
    nodes: list[Any] = []
    for number, *columns in groups:
        _demand(type(number) is int and 0 <= number < len(_CLASSES))
        node = _CLASSES[number]
        _demand(len(columns) == 4 + len(_FIELDS[node]))
        count = len(columns[0])
        _demand(all(type(column) is tuple and len(column) == count for column in columns))
        spans = _spans(source, columns[:4])
        parts = [
            _values(field, column, nodes, source)
            for field, column in zip(_FIELDS[node], columns[4:], strict=True)
        ]
        nodes += map(node, spans, *parts)
    members = _Field("decls", "tuple[Decl, ...]"), _Field("comments", "tuple[Comment, ...]")
    (decl_nodes,), (comment_nodes,) = (
        _values(field, (column,), nodes, source)
        for field, column in zip(members, (decls, comments), strict=True)
    )
    (header_node,) = _values(_Field("header", "Header | None"), (header,), nodes, source)
    text = source.text
    span = Span(source, 1, 1, text.count("\n") + 1, len(text) - text.rfind("\n"))
    return tree.File(span, source, header_node, decl_nodes, comment_nodes)


def _demand(holds: bool) -> None:
    if not holds:
        raise ValueError("not a tree")


def _spans(source: Source, columns: list[Column]) -> Iterable[Span]:
    for column in columns:
        _demand(set(map(type, column)) <= {int} and min(column, default=1) >= 1)
    return map(Span, repeat(source), *columns)


def _values(field: _Field, column: Column, nodes: list[Any], source: Source) -> Iterable[Any]:
    """Return the values of a field from its column. Raises ValueError for values of other classes than the
    field's."""
    if field.kind == "scalar":
        _demand(set(map(type, column)) <= field.classes)
        return column
    if field.kind == "span":
        return _spans(source, list(zip(*column, strict=True)) or [()] * 4)
    if field.kind == "part":
        _demand_nodes(field, [index for index in column if index is not None], nodes)
        _demand(field.optional or None not in column)
        return [None if index is None else nodes[index] for index in column]
    _demand(set(map(type, column)) <= {tuple, type(None)} and (field.optional or None not in column))
    _demand_nodes(field, list(chain.from_iterable(filter(None, column))), nodes)
    return [None if indexes is None else tuple([nodes[index] for index in indexes]) for indexes in column]


def _demand_nodes(field: _Field, indexes: list[int], nodes: list[Any]) -> None:
    """Raise ValueError unless all indexes are of nodes read so far, of the field's classes."""
    _demand(set(map(type, indexes)) <= {int} and min(indexes, default=0) >= 0)
    _demand({type(nodes[index]) for index in indexes} <= field.classes)
