"""Cycles among the declarations of a file (language spec, section 7): targets E0701, defs E0407, lets and params
E0702.

The graph has an edge for each name that a declaration mentions. Modules have no cycles among them, so no cycle leaves
a file; every mention of a module depends on the arguments of its `use … with`.

1. Nodes are the named declarations; an edge is the first mention of one in another, with its relation.
2. Tarjan's strongly connected components, with an explicit stack.
3. For each component with a cycle, the shortest cycle through its first target (else its first declaration) is
   reported once.
"""

from __future__ import annotations

from collections import deque

from attrs import frozen

from pybuild.lang.textual import tree
from pybuild.lang.textual.check.walk import bound, mentions, statements, suites
from pybuild.lang.textual.problems import graph as problems

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.source import Span

NamedDeclaration = tree.Use | tree.Param | tree.Let | tree.Group | tree.Def | tree.Target


@frozen
class Edge:
    """A mention of one declaration in another. `relation` is a verb: `starts from`, `takes files from`, `mounts`,
    `waits for`, `contains`, `calls`, `uses`."""

    to: int
    span: Span
    relation: str


def cycles(file: tree.File) -> list[Diagnostic]:
    nodes = [decl for decl in file.decls if isinstance(decl, NamedDeclaration)]
    edges = _edges(nodes)
    reported = []
    for component in components(edges):
        start = min(component, key=lambda at: (not isinstance(nodes[at], tree.Target), at))
        path = _shortest(edges, start, set(component))
        if path:
            reported.append(_problem(nodes, path))
    return reported


def name_of(decl: NamedDeclaration) -> str:
    if isinstance(decl, tree.Use):
        ident = decl.alias or decl.module
        return ident.name if ident is not None else ""
    return decl.name.name


def _edges(nodes: Sequence[NamedDeclaration]) -> list[list[Edge]]:
    values: dict[str, int] = {}
    functions: dict[str, int] = {}
    for at, decl in enumerate(nodes):
        (functions if isinstance(decl, tree.Def) else values).setdefault(name_of(decl), at)
    return [_edges_of(decl, values, functions) for decl in nodes]


def _edges_of(decl: NamedDeclaration, values: dict[str, int], functions: dict[str, int]) -> list[Edge]:
    inner = bound(decl)
    edges: dict[int, Edge] = {}
    for relation, roots in _parts(decl):
        for mention in mentions(roots):
            to = (functions if mention.called else values).get(mention.name)
            if to is None or (not mention.called and mention.name in inner):
                continue
            word = "calls" if mention.called and relation == "uses" else relation
            edges.setdefault(to, Edge(to, mention.span, word))
    return list(edges.values())


def _parts(decl: NamedDeclaration) -> Iterator[tuple[str, Sequence[tree.Node | None]]]:
    """Yield the nodes of a declaration with mentions, each group with its relation."""
    if isinstance(decl, tree.Group):
        yield "contains", [decl.value]
    elif isinstance(decl, tree.Def | tree.Target):
        if isinstance(decl, tree.Def):
            yield "uses", decl.parameters
        else:
            yield "uses", (*decl.axes, *decl.on)
        for statement in statements(decl.body):
            yield from _statement_parts(statement)
    else:
        yield "uses", [decl]


def _statement_parts(statement: tree.Stmt) -> Iterator[tuple[str, Sequence[tree.Node | None]]]:
    if isinstance(statement, tree.From):
        yield "starts from", [statement.state]
        yield "uses", [statement.on, *statement.options]
    elif isinstance(statement, tree.Copy):
        yield "uses", statement.sources
        yield "takes files from", [statement.state]
        yield "uses", [statement.dest, *statement.options]
    elif isinstance(statement, tree.Simple):
        yield "waits for" if statement.keyword == "needs" else "uses", statement.items
    elif isinstance(statement, tree.With):
        yield "mounts", statement.options
    elif isinstance(statement, tree.If):
        yield "uses", [branch.condition for branch in statement.branches]
    elif isinstance(statement, tree.For):
        yield "uses", [statement.values]
    elif not suites(statement):
        yield "uses", [statement]


def components(edges: Sequence[Sequence[Edge]]) -> list[list[int]]:
    """Return the strongly connected components, sorted by their first node. A single node is left out unless it
    has an edge to itself."""
    index = [-1] * len(edges)
    low = [0] * len(edges)
    on_stack = bytearray(len(edges))
    stack: list[int] = []
    result: list[list[int]] = []
    count = 0
    for root in range(len(edges)):
        if index[root] >= 0:
            continue
        # The call stack of Tarjan's algorithm: each node with its remaining edges.
        work = [(root, iter(edges[root]))]
        while work:
            at, rest = work[-1]
            if index[at] < 0:
                index[at] = low[at] = count
                count += 1
                stack.append(at)
                on_stack[at] = 1
            for edge in rest:
                if index[edge.to] < 0:
                    work.append((edge.to, iter(edges[edge.to])))
                    break
                if on_stack[edge.to]:
                    low[at] = min(low[at], index[edge.to])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[at])
                if low[at] == index[at]:
                    _take(stack, on_stack, at, edges, result)
    return sorted(result)


def _take(
    stack: list[int], on_stack: bytearray, at: int, edges: Sequence[Sequence[Edge]], result: list[list[int]]
) -> None:
    component = []
    while True:
        node = stack.pop()
        on_stack[node] = 0
        component.append(node)
        if node == at:
            break
    if len(component) > 1 or any(edge.to == at for edge in edges[at]):
        result.append(sorted(component))


def _shortest(edges: Sequence[Sequence[Edge]], start: int, inside: set[int]) -> list[tuple[int, Edge]]:
    """Return the shortest cycle through a node: each node with the edge that leaves it, [] if there is none."""
    before: dict[int, tuple[int, Edge]] = {}
    queue = deque([start])
    while queue:
        at = queue.popleft()
        for edge in edges[at]:
            if edge.to not in inside or edge.to in before:
                continue
            before[edge.to] = (at, edge)
            if edge.to == start:
                return _back(before, start)
            queue.append(edge.to)
    return []


def _back(before: dict[int, tuple[int, Edge]], start: int) -> list[tuple[int, Edge]]:
    path = [before[start]]
    while path[-1][0] != start:
        path.append(before[path[-1][0]])
    return path[::-1]


def _problem(nodes: Sequence[NamedDeclaration], path: Sequence[tuple[int, Edge]]) -> Diagnostic:
    steps = [(nodes[at], edge) for at, edge in path]
    kinds = {type(decl) for decl, _ in steps}
    if tree.Target in kinds or tree.Group in kinds:
        return problems.target_cycle(_links(steps, tree.Target if tree.Target in kinds else tree.Group))
    if tree.Let in kinds or tree.Param in kinds or tree.Use in kinds:
        return problems.let_cycle(_links(steps, tree.Use | tree.Let | tree.Param))
    return problems.recursion(_links(steps, tree.Def))


def _links(steps: Sequence[tuple[NamedDeclaration, Edge]], kinds: object) -> list[problems.Link]:
    """Return the steps from each declaration of the given kinds to the next one. A step through other declarations
    has the place of its first mention and the relation of its last."""
    links: list[problems.Link] = []
    way: list[tuple[NamedDeclaration, Edge]] = []
    for decl, edge in steps:
        if not isinstance(decl, kinds):  # type: ignore[arg-type]
            way.append((decl, edge))
            continue
        if links:
            links[-1] = _through(links[-1], way)
        way = []
        links.append(problems.Link(name_of(decl), edge.span, edge.relation))
    links[-1] = _through(links[-1], way)
    return links


def _through(link: problems.Link, way: Sequence[tuple[NamedDeclaration, Edge]]) -> problems.Link:
    if not way:
        return link
    through = tuple(name_of(decl) for decl, _ in way)
    relation = link.relation if link.relation != "calls" else "uses"
    return problems.Link(link.name, link.span, relation, through)
