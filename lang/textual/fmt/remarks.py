"""Comments inside brackets. Comments between items and around operators are laid out with them; a line with
comments anywhere else keeps its author's form."""

from __future__ import annotations

from bisect import bisect_right

from pybuild.lang.textual import tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any, Final

    from pybuild.lang.source import Span

    Place = tuple[int, int]
    Key = tuple[tree.Node, int]


class Remarks:
    """Comments in one pair of brackets, by the index of an item: `above` it, or `behind` it on its line.

    `opening` follow the bracket, `closing` are below the last item. A line ends with one comment at most; more are
    above the next. Around an operator, `opening` follow its left operand, and `closing` are above its line."""

    __slots__ = ("above", "behind", "closing", "opening")

    def __init__(self) -> None:
        self.opening: list[str] = []
        self.above: dict[int, list[str]] = {}
        self.behind: dict[int, list[str]] = {}
        self.closing: list[str] = []


class _Region:
    """A place of comments between `items`, which is None if it can't have any. `key` is the comments' key."""

    __slots__ = ("end", "items", "key", "start")

    def __init__(self, key: Key, start: Place, end: Place, items: Sequence[tree.Node] | None) -> None:
        self.key = key
        self.start = start
        self.end = end
        self.items = items


def placed(nodes: Iterable[tree.Node], comments: Sequence[tree.Comment]) -> Mapping[Key, Remarks] | None:
    """Return the comments inside a statement or header with these `nodes`, by the node whose brackets or operator
    they are at.

    The key is (node, 1) for the `else` of a ternary, else (node, 0). Returns None if a comment is anywhere else."""
    remarks: dict[Key, Remarks] = {}
    regions = sorted(_regions(nodes), key=lambda one: one.start)
    open: list[_Region] = []
    at = 0
    for comment in comments:
        place = start(comment.span)
        while at < len(regions) and regions[at].start <= place:
            while open and open[-1].end <= regions[at].start:
                open.pop()
            open.append(regions[at])
            at += 1
        while open and open[-1].end <= place:
            open.pop()
        if not open or any(one.items is None for one in open):
            return None
        inner = open[-1]
        if not _put(comment, inner.items or (), remarks.setdefault(inner.key, Remarks())):
            return None
    return remarks


def _put(comment: tree.Comment, items: Sequence[tree.Node], remarks: Remarks) -> bool:
    """Put a comment between items. Returns False if it is inside of one."""
    index = bisect_right(items, start(comment.span), key=lambda item: start(item.span))
    if index and end(items[index - 1].span) > start(comment.span):
        return False
    text = comment.text.rstrip()
    above = remarks.above.get(index) if index < len(items) else remarks.closing
    behind = remarks.opening if not index else remarks.behind.setdefault(index - 1, [])
    if comment.own_line or above or behind:
        above = remarks.above.setdefault(index, []) if index < len(items) else remarks.closing
        above.append(text)
    else:
        behind.append(text)
    return True


def _regions(nodes: Iterable[tree.Node]) -> Iterator[_Region]:
    for node in nodes:
        find = _REGIONS.get(type(node))
        if find is not None:
            yield from find(node)


def _whole(node: tree.Node, items: Sequence[tree.Node] | None) -> Iterator[_Region]:
    yield _Region((node, 0), start(node.span), end(node.span), items)


def _gap(node: tree.Node, left: tree.Node, right: tree.Node, index: int = 0) -> Iterator[_Region]:
    yield _Region((node, index), end(left.span), start(right.span), ())


def _ternary(node: tree.Ternary) -> Iterator[_Region]:
    yield from _gap(node, node.then, node.condition)
    yield from _gap(node, node.condition, node.otherwise, 1)


def _call(node: tree.Call) -> Iterator[_Region]:
    yield _Region((node, 0), end(node.function.span), end(node.span), node.arguments)


def _chosen(node: tree.Index | tree.Select) -> Iterator[_Region]:
    yield _Region((node, 0), end(node.value.span), end(node.span), None)


def _def(node: tree.Def) -> Iterator[_Region]:
    closes = start(node.returns.span) if node.returns else end(node.header)
    yield _Region((node, 0), end(node.name.span), closes, node.parameters)


_REGIONS: Final[dict[type, Callable[[Any], Iterator[_Region]]]] = {
    tree.List: lambda node: _whole(node, node.items),
    tree.Map: lambda node: _whole(node, node.entries),
    tree.Parens: lambda node: _whole(node, (node.value,)),
    tree.ListComp: lambda node: _whole(node, (node.item, *node.axes)),
    tree.MapComp: lambda node: _whole(node, (node.entry, *node.axes)),
    tree.TypeOf: lambda node: _whole(node, None),
    tree.Binary: lambda node: _gap(node, node.left, node.right),
    tree.Ternary: _ternary,
    tree.Call: _call,
    tree.Index: _chosen,
    tree.Select: _chosen,
    tree.Def: _def,
}


def start(span: Span) -> Place:
    return span.line, span.column


def end(span: Span) -> Place:
    return span.end_line, span.end_column
