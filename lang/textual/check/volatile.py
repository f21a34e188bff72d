"""Values that change with every commit (`vcs`), and the runs that they invalidate (W0607)."""

from __future__ import annotations

from collections import defaultdict

from pybuild.lang.textual import tree
from pybuild.lang.textual.check.walk import Mention, mentions, suites
from pybuild.lang.textual.check.words import word_span
from pybuild.lang.textual.problems import lint as problems

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.source import Span


def volatile_names(file: tree.File) -> frozenset[str]:
    """Return the names of params and lets in a file whose values (or defaults) come from `vcs`."""
    readers: dict[str, list[str]] = defaultdict(list)
    pending = ["vcs"]
    for decl in file.decls:
        if isinstance(decl, tree.Let | tree.Param):
            value = decl.value if isinstance(decl, tree.Let) else decl.default
            for mention in mentions([value]):
                if not mention.called:
                    readers[mention.name].append(decl.name.name)
    names: set[str] = set()
    while pending:
        name = pending.pop()
        if name not in names:
            names.add(name)
            pending.extend(readers.get(name, ()))
    return frozenset(names)


def volatile_runs(decl: tree.Def | tree.Target, names: frozenset[str]) -> Iterator[tuple[Diagnostic, int]]:
    """Yield the warnings (W0607) about one body: statements that mention such a value before a run that doesn't."""
    tainted = set(names)
    yield from _suite(decl.body, None, tainted)


def _suite(
    body: tuple[tree.Stmt, ...], later: Span | None, names: set[str]
) -> Iterator[tuple[Diagnostic, int]]:
    """Yield the warnings about a block. `later` is the first run after it."""
    for statement in body:
        if isinstance(statement, tree.Let) and _mention(statement.value, names):
            names.add(statement.name.name)
    after = later
    warnings: list[tuple[Diagnostic, int]] = []
    for statement in reversed(body):
        first = _first_run(statement)
        if isinstance(statement, tree.Run | tree.Exec | tree.Env):
            mention = _mention(statement, names)
            if mention is not None and after is not None:
                warning = problems.volatile(mention.span, _name_of(mention), after)
                warnings.append((warning, statement.span.line))
        for suite in suites(statement):
            warnings.extend(_suite(suite, after, names))
        after = first or after
    yield from reversed(warnings)


def _first_run(statement: tree.Stmt) -> Span | None:
    stack = [statement]
    while stack:
        current = stack.pop()
        if isinstance(current, tree.Run | tree.Exec):
            return word_span(current)
        for suite in reversed(suites(current)):
            stack.extend(reversed(suite))
    return None


def _mention(node: tree.Node, names: set[str]) -> Mention | None:
    return next((one for one in mentions([node]) if one.name in names and not one.called), None)


def _name_of(mention: Mention) -> str:
    return f"{mention.name}.{mention.member}" if mention.member else mention.name
