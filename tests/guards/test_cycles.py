"""The modules of the product form a graph without cycles: imports inside functions and for type checking count."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from tests.guards.imports import modules

_KNOWN = (
    "compiler.exec_process compiler.file_actions compiler.mounts compiler.state",
    "compiler.graph compiler.llb.encode",
    """
    lang.convert.pythonsource.calls lang.convert.pythonsource.dollars lang.convert.pythonsource.expressions
    lang.convert.pythonsource.facts lang.convert.pythonsource.making lang.convert.pythonsource.strings
    """,
    """
    lang.python.arguments lang.python.bodies lang.python.builder lang.python.calls lang.python.expressions
    lang.python.failures lang.python.functions lang.python.functions.calling lang.python.functions.payload
    lang.python.literals lang.python.names lang.python.problems lang.python.problems.running
    lang.python.quantities lang.python.recording lang.python.scripts lang.python.states lang.python.targets
    """,
    "lang.quoting.expansions lang.quoting.scanner lang.quoting.words",
    "lang.recipe.options lang.recipe.statements lang.recipe.states",
    "lang.textual.check.exports lang.textual.check.scope lang.textual.problems.names",
    """
    lang.textual.expand.attributes lang.textual.expand.blocks lang.textual.expand.bodies
    lang.textual.expand.checks lang.textual.expand.compilation lang.textual.expand.copying
    lang.textual.expand.definitions lang.textual.expand.goals lang.textual.expand.lookups
    lang.textual.expand.matrix lang.textual.expand.modulescope lang.textual.expand.recorder
    lang.textual.expand.statements
    """,
    "lang.textual.expand.frame lang.textual.expand.values lang.textual.modules",
    "lang.textual.tree.expressions lang.textual.tree.text",
    "runtime.bridge.container runtime.bridge.running",
    "runtime.content.snapshot_table runtime.content.store",
    """
    runtime.export.build runtime.export.local runtime.export.oci runtime.export.output runtime.export.parts
    runtime.export.place runtime.export.receiver
    """,
    "runtime.image.assemble runtime.image.attached",
    "runtime.progress.display runtime.progress.plain runtime.progress.rawjson runtime.progress.tty",
    "runtime.sandbox.bundle runtime.sandbox.container runtime.sandbox.executor runtime.sandbox.process",
    "runtime.sandbox.runner runtime.sandbox.runner_process",
    """
    runtime.snapshots.choose runtime.snapshots.copying runtime.snapshots.fuse runtime.snapshots.overlay
    runtime.snapshots.stacking runtime.snapshots.trial runtime.snapshots.upper
    """,
    "runtime.sources.gitrepository runtime.sources.gitresolve",
)
KNOWN_CYCLES = [frozenset(f"pybuild.{name}" for name in names.split()) for names in _KNOWN]
"""Groups of modules that still reach each other. Remove modules with their cycle; add none."""


def targets(path: Path, known: dict[str, Path]) -> set[str]:
    """Return the modules that a module imports. `from package import module` imports the module alone: the package
    that holds it does not count, and neither does `pybuild` itself, which imports what a command needs."""
    names = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            members = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {member if member in known else node.module for member in members}
    return (names & known.keys()) - {"pybuild"}


def cycles(graph: dict[str, set[str]]) -> set[frozenset[str]]:
    """Return the groups of modules in which each reaches all others (Tarjan's strongly connected components)."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    groups = set()

    def visit(module: str) -> None:
        number[module] = lowest[module] = len(number)
        stack.append(module)
        for target in sorted(graph.get(module, ())):
            if target not in number:
                visit(target)
                lowest[module] = min(lowest[module], lowest[target])
            elif target in stack:
                lowest[module] = min(lowest[module], number[target])
        if lowest[module] == number[module]:
            start = stack.index(module)
            group = frozenset(stack[start:])
            del stack[start:]
            if len(group) > 1 or module in graph.get(module, ()):
                groups.add(group)

    for module in sorted(graph):
        if module not in number:
            visit(module)
    return groups


def product_graph() -> dict[str, set[str]]:
    """Map each module to the modules that it imports."""
    known = modules()
    return {module: targets(path, known) for module, path in known.items()}


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    return product_graph()


def test_modules_form_no_cycle_but_the_known_ones(graph: dict[str, set[str]]) -> None:
    for group in cycles(graph):
        if not any(group <= known for known in KNOWN_CYCLES):
            edges = [f"{module} -> {', '.join(sorted(graph[module] & group))}" for module in sorted(group)]
            pytest.fail("modules that import each other:\n" + "\n".join(edges))


@pytest.mark.parametrize("known", KNOWN_CYCLES, ids=lambda group: min(group))
def test_each_known_cycle_exists(known: frozenset[str], graph: dict[str, set[str]]) -> None:
    rest = known - {module for group in cycles(graph) if group <= known for module in group}
    assert not rest, f"no longer in a cycle, remove from KNOWN_CYCLES: {sorted(rest)}"


def test_the_guard_finds_cycles() -> None:
    assert cycles({"a": {"b"}, "b": {"c", "d"}, "c": {"b"}, "d": {"d"}, "e": {"a"}}) == {
        frozenset({"b", "c"}),
        frozenset({"d"}),
    }
    assert cycles({"a": {"b"}, "b": {"c"}, "c": set()}) == set()
