"""Walks over the tree without recursion, in source order."""

from __future__ import annotations

from attrs import fields, frozen

from pybuild.lang.textual import tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pybuild.lang.source import Span

_FIELDS: dict[type, tuple[str, ...]] = {}
"""The fields of each node class that may hold nodes."""

_LEAVES = frozenset({"span", "header", "op_span", "doc", "keyword", "kind", "op", "raw", "source"})


def children(node: tree.Node) -> list[tree.Node]:
    """Return the children of a node."""
    kind = type(node)
    names = _FIELDS.get(kind)
    if names is None:
        names = tuple(one.name for one in fields(kind) if one.name not in _LEAVES)
        _FIELDS[kind] = names
    nodes: list[tree.Node] = []
    for name in names:
        value = getattr(node, name)
        if isinstance(value, tree.Node):
            nodes.append(value)
        elif isinstance(value, tuple):
            nodes.extend(one for one in value if isinstance(one, tree.Node))
    return nodes


def preorder(*roots: tree.Node | None) -> Iterator[tree.Node]:
    """Yield the roots and all nodes below them, each before its children."""
    stack = [root for root in reversed(roots) if root is not None]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(children(node)))


@frozen
class Mention:
    """A name that is read. `span` is that of `T[…]` for a selection, `member` is the text after its `.`. `called`
    is set if it is the function of a call."""

    name: str
    span: Span
    called: bool = False
    member: str = ""


def mentions(roots: Iterable[tree.Node | None]) -> Iterator[Mention]:
    """Yield the names that are read below the roots, in order."""
    stack = [root for root in reversed(list(roots)) if root is not None]
    while stack:
        node = stack.pop()
        below = children(node)
        if isinstance(node, tree.Name):
            yield Mention(node.name, node.span)
        elif isinstance(node, tree.Call) and isinstance(node.function, tree.Name):
            yield Mention(node.function.name, node.function.span, called=True)
            below = list(node.arguments)
        elif isinstance(node, tree.Attribute) and isinstance(node.value, tree.Name):
            yield Mention(node.value.name, node.span, member=node.name.name)
            below = []
        elif isinstance(node, tree.Select | tree.Index) and isinstance(node.value, tree.Name):
            yield Mention(node.value.name, node.span)
            below = below[1:]
        stack.extend(reversed(below))


def bound(root: tree.Node) -> set[str]:
    """Return the names bound below a declaration: parameters, axes, lets, loop variables."""
    names: set[str] = set()
    for node in preorder(root):
        if node is root:
            continue
        if isinstance(node, tree.Let | tree.For | tree.AxisFor | tree.Parameter | tree.Broken):
            name = node.name
            if name is not None:
                names.add(name.name)
    return names


def statements(body: tuple[tree.Stmt, ...]) -> Iterator[tree.Stmt]:
    """Yield all statements of a body in order, with those of inner blocks."""
    stack = list(reversed(body))
    while stack:
        statement = stack.pop()
        yield statement
        for suite in reversed(suites(statement)):
            stack.extend(reversed(suite))


def suites(statement: tree.Stmt) -> list[tuple[tree.Stmt, ...]]:
    """Return the blocks of a statement."""
    if isinstance(statement, tree.If):
        blocks = [branch.body for branch in statement.branches]
        return blocks if statement.otherwise is None else [*blocks, statement.otherwise]
    if isinstance(statement, tree.For | tree.With | tree.Broken):
        return [statement.body]
    return []
