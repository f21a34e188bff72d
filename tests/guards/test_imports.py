from __future__ import annotations

import ast
import os
import subprocess
import sys

import pytest
from tests.guards.imports import FOLDERS, ROOT, imported, modules, room

MODULES = modules()
ALLOWED = {
    "lang": {"lang"},
    "compiler": {"lang", "compiler"},
    "runtime": {"lang", "compiler", "runtime"},
    "stdlib": set[str](),
    "front": {"lang", "compiler", "runtime", "stdlib", "front"},
}
SOLVER_MAY_IMPORT = ("pybuild.runtime.solver", "pybuild.lang")

HEAVY = (
    "attrs", "attr", "cattrs", "click", "rich", "urllib3", "lark", "jsonschema", "google", "grpc",
    "asyncio", "subprocess", "importlib.metadata", "typing", "dataclasses", "logging", "pathlib", "tempfile",
    "shutil", "ssl", "http", "email", "concurrent.futures", "inspect",
)  # fmt: skip
"""What an import costs a cached build more than it can spend."""

LIGHT = ("pybuild", "pybuild.replay.replay", "pybuild.replay.signatures")
"""Modules that a cached build imports before it knows that it is one."""


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_point_one_way(module: str) -> None:
    own = room(module)
    for name in imported(MODULES[module]):
        if name == "pybuild" or name.startswith("pybuild."):
            other = room(name)
            if name == "pybuild" or (other == "front" and name not in MODULES):
                continue  # the package of which the folders are parts, or a name in it
            assert other in ALLOWED[own], f"{module} ({own}) imports {name} ({other})"


def test_the_front_door_is_imported_by_nothing_below() -> None:
    front = {name for name in MODULES if room(name) == "front" and name != "pybuild"}
    for module, path in MODULES.items():
        if room(module) != "front":
            assert not imported(path) & front, module


def test_the_solver_knows_no_store_and_no_executor() -> None:
    solver = [module for module in MODULES if module.startswith("pybuild.runtime.solver.")]
    assert solver
    for module in solver:
        for name in imported(MODULES[module]):
            assert not name.startswith("pybuild.") or name.startswith(SOLVER_MAY_IMPORT), f"{module}: {name}"


def test_no_import_of_the_folders_by_their_own_names() -> None:
    for module, path in MODULES.items():
        bare = {name for name in imported(path) if name.split(".")[0] in FOLDERS}
        assert not bare, f"{module} imports {bare}"


def test_no_room_is_called_after_nothing() -> None:
    empty = {"util", "utils", "helpers", "helper", "common", "misc", "shared", "core", "base", "stuff"}
    for module in MODULES:
        assert not set(module.split(".")) & empty, module


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_import_nothing_heavy(module: str) -> None:
    if module not in MODULES:
        pytest.fail(f"{module} is no module: update LIGHT")
    program = (
        f"import sys; before = set(sys.modules); import {module}; print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    loaded = set(done.stdout.split())
    assert module in loaded
    heavy = {name for name in loaded if name in HEAVY or name.split(".")[0] in HEAVY}
    assert not heavy, f"{module} imports {sorted(heavy)}"


def test_the_guard_sees_imports_inside_functions() -> None:
    path = ROOT / "runtime" / "sources" / "host.py"
    assert "pybuild.runtime.content.locks" in imported(path)
    top = {node.names[0].name for node in ast.parse(path.read_bytes()).body if isinstance(node, ast.Import)}
    assert "json" in imported(path)
    assert "json" not in top
