"""The folders of `runtime/` form a graph without cycles: imports inside functions and for type checking count."""

from __future__ import annotations

from collections import defaultdict

import pytest
from tests.guards.imports import imported, modules

PREFIX = "pybuild.runtime."


def folder_of(module: str) -> str:
    """Return the folder of a module of runtime; a module at the top level stands for itself."""
    return module.removeprefix(PREFIX).split(".")[0]


def folder_graph() -> dict[str, dict[str, set[str]]]:
    """Map each folder to the folders it imports, and these to the modules that import them."""
    known = modules()
    graph: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for module, path in known.items():
        if not module.startswith(PREFIX):
            continue
        for name in imported(path):
            if name.startswith(PREFIX) and folder_of(name) != folder_of(module):
                graph[folder_of(module)][folder_of(name)].add(module)
    return {folder: dict(targets) for folder, targets in graph.items()}


def cycles(graph: dict[str, dict[str, set[str]]]) -> set[frozenset[str]]:
    """Return the groups of folders in which each reaches all others."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        pending = [start]
        while pending:
            for target in graph.get(pending.pop(), {}):
                if target not in seen:
                    seen.add(target)
                    pending.append(target)
        return seen

    reach = {folder: reached(folder) for folder in graph}
    groups = set()
    for folder, below in reach.items():
        if folder in below:
            groups.add(frozenset(other for other in below if folder in reach.get(other, ())))
    return groups


def test_the_folders_of_the_runtime_form_no_cycle() -> None:
    graph = folder_graph()
    assert {"ops", "sources", "session", "engine"} <= graph.keys()
    for group in cycles(graph):
        edges = [
            f"{folder} -> {target}: {', '.join(sorted(by))}"
            for folder in sorted(group)
            for target, by in sorted(graph[folder].items())
            if target in group
        ]
        pytest.fail("folders that import each other:\n" + "\n".join(edges))


def test_the_guard_finds_a_cycle() -> None:
    graph = {"a": {"b": {"a.x"}}, "b": {"c": {"b.x"}}, "c": {"b": {"c.x"}}}
    assert cycles(graph) == {frozenset({"b", "c"})}
