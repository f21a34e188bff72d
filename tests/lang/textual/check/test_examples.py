"""The example projects check cleanly."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.lang.textual.worlds import STANDARD, World

from pybuild.lang.diagnostics import render
from pybuild.lang.textual.check.check import check
from pybuild.lang.textual.load import load

FOLDER = Path(__file__).parent / "examples"
FILES = {str(path.relative_to(FOLDER)): path.read_text() for path in sorted(FOLDER.rglob("*.pybuild"))}
MODULES = {**STANDARD, **{name: FILES[f"std/{name}.pybuild"] for name in ("uv", "apt")}}

SAID = {"7_kitchen.pybuild": ["E0701", "E0706", "E0706"]}
"""What is said of the others: one is a sample of the grammar."""


@pytest.mark.parametrize("name", [name for name in FILES if "/" not in name])
def test_an_example_checks(name: str) -> None:
    world = World(FILES, MODULES)
    loaded = load(world.root(name), world)
    assert loaded.program is not None
    found = [*loaded.diagnostics, *check(loaded.program)]
    assert [one.code for one in found] == SAID.get(name, []), "\n".join(map(render, found))
