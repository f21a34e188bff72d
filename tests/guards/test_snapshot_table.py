"""The SQL of the snapshot table has one owner, and the rooms around it use each other one way."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.guards.imports import imported, modules

MODULES = modules()
OWNER = "pybuild.runtime.content.snapshot_table"
MAY_NAME_IT = {OWNER, "pybuild.runtime.content.schema", "pybuild.runtime.content.migration"}
TABLE = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE|TABLE)\s+\"?snapshot\b", re.IGNORECASE)

BELOW = ["content", "snapshots", "usage"]
"""Each of these rooms of the runtime may import those before it, never those after it."""


def statements(path: Path) -> list[str]:
    """Texts of a module that name the snapshot table in SQL. Adjacent literals are one text in a syntax tree."""
    return [
        node.value
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and TABLE.search(node.value)
    ]


def test_only_the_owner_has_sql_on_the_snapshot_table() -> None:
    others = {name: found for name in set(MODULES) - MAY_NAME_IT if (found := statements(MODULES[name]))}
    assert not others


def test_the_guard_sees_statements() -> None:
    assert len(statements(MODULES[OWNER])) > 15


def test_content_snapshots_and_usage_import_one_way() -> None:
    for place, room in enumerate(BELOW):
        above = tuple(f"pybuild.runtime.{other}" for other in BELOW[place + 1 :])
        for name, path in MODULES.items():
            if name.startswith(f"pybuild.runtime.{room}."):
                upwards = {other for other in imported(path) if other.startswith(above)}
                assert not upwards, f"{name} imports {upwards}"
