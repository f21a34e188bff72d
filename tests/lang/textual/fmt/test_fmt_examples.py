"""The example projects in canonical form; any careless rewriting of them formats back to it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.lang.textual.fmt.laws import formatted, meaning
from tests.lang.textual.fmt.mangling import mangled

import pybuild
from pybuild.lang.textual.fmt.docs import WIDTH

FOLDER = Path(__file__).parent
GOLDEN = {path.name: path.read_text() for path in sorted((FOLDER / "examples").glob("*.pybuild"))}
WRITTEN = {
    path.name: path.read_text() for path in sorted((FOLDER.parent / "parse/examples").glob("*.pybuild"))
}
SEEDS = range(25)

CHANGED = {"7_kitchen.pybuild"}
"""The example that exercises the parser."""

JOINED = [name for name, text in GOLDEN.items() if max(map(len, text.split("\n"))) <= WIDTH]
"""Those without a line that is left whole, but would not be made whole again."""


def test_there_is_a_form_of_each_example() -> None:
    assert GOLDEN.keys() == WRITTEN.keys()
    assert {name for name in GOLDEN if GOLDEN[name] != WRITTEN[name]} == CHANGED


@pytest.mark.parametrize("name", GOLDEN)
def test_examples(name: str) -> None:
    assert formatted(WRITTEN[name]) == GOLDEN[name]
    assert formatted(GOLDEN[name]) == GOLDEN[name]
    assert meaning(GOLDEN[name]) == meaning(WRITTEN[name])


@pytest.mark.parametrize("name", JOINED)
def test_careless_writing_is_undone(name: str) -> None:
    for seed in SEEDS:
        careless = mangled(GOLDEN[name], seed)
        assert careless != GOLDEN[name]
        assert formatted(careless) == GOLDEN[name], seed


def test_the_standard_library_is_in_its_form() -> None:
    modules = sorted((Path(pybuild.__file__).parent / "stdlib").glob("*.pybuild"))
    assert modules
    for path in modules:
        assert formatted(path.read_text()) == path.read_text(), path.name
