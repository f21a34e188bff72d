"""`docs/python` is true: the tutorial can be followed; the reference has every public name with its signature, and
examples that make the recipe of their twins.

`PYBUILD_WRITE_CASES=1` writes results and signatures into the pages.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from tests.docs.examples import ROOT, blocks
from tests.docs.programs import Compiled
from tests.docs.pythonreference import PAGE, Entry, Example, entries, examples, public, signature
from tests.docs.stories import Story, follow
from tests.lang.python.twins import recipe_of_python, recipe_of_text, shape

from pybuild.lang.diagnostics import SourceError
from pybuild.lang.python import api

PAGES = ROOT / "docs" / "python"
OWN = [PAGES / "tutorial.md", PAGE]
WRITE = os.environ.get("PYBUILD_WRITE_CASES", "") not in ("", "0")
ENTRIES = entries()
EXAMPLES = list(examples())


@pytest.mark.root
@pytest.mark.crun
def test_the_tutorial_can_be_followed(tmp_path: Path, environment: dict[str, str]) -> None:
    follow(PAGES / "tutorial.md", Story(tmp_path, environment), write=WRITE)


def test_the_reference_has_every_public_name_and_no_other() -> None:
    named = [name for entry in ENTRIES for name in entry.names]
    assert len(named) == len(set(named))
    assert set(named) == public()


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.names[0])
def test_signatures_are_those_of_the_code(entry: Entry) -> None:
    shown = entry.only("signature")
    assert shown is not None
    found = "".join(f"{signature(name)}\n" for name in entry.names)
    if WRITE:
        page = PAGE.read_text("utf-8")
        (fresh,) = (one for one in entries() if one.names == entry.names)
        block = fresh.only("signature")
        assert block is not None
        start, end = fresh.start + block.start, fresh.start + block.end
        PAGE.write_text(page[:start] + found + page[end:], "utf-8")
        return
    assert shown.text == found


COMPARED = [one for one in EXAMPLES if not {"values", "fails", "alone"} & one.note.keys()]


@pytest.mark.parametrize("example", COMPARED, ids=lambda example: example.name)
def test_an_example_makes_its_twins_recipe(example: Example) -> None:
    assert example.twin is not None
    one = shape(recipe_of_python(example.world, example.asked))
    other = shape(recipe_of_text(example.world, example.asked))
    # A module reads all its params, a text those that are used.
    read = other.pop("params")
    assert {name: value for name, value in one.pop("params").items() if name in read} == read
    assert one == other


@pytest.mark.parametrize(
    "example", [one for one in EXAMPLES if "alone" in one.note], ids=lambda one: one.name
)
def test_an_example_without_a_twin_is_recorded(example: Example) -> None:
    assert example.twin is None
    assert recipe_of_python(example.world, example.asked).requested


@pytest.mark.parametrize(
    "example", [one for one in EXAMPLES if "fails" in one.note], ids=lambda one: one.name
)
def test_an_example_fails_as_its_twin_does(example: Example) -> None:
    code = example.note["fails"]
    with pytest.raises(SourceError) as caught:
        recipe_of_python(example.world, example.asked)
    assert caught.value.diagnostic.code == code
    assert Compiled(example.sources, params=example.note.get("params", "")).codes("E") == [code]


VALUES = [row for one in EXAMPLES if "values" in one.note for row in one.rows]


@pytest.mark.parametrize(("expression", "value"), VALUES)
def test_an_expression_has_the_value_that_is_shown(expression: str, value: str) -> None:
    found, wanted = eval(expression, {"pb": api}), eval(value, {"pb": api})
    assert found == wanted
    assert type(found) is type(wanted)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.names[0])
def test_every_entry_is_shown_in_use(entry: Entry) -> None:
    used = "".join(block.text for block in entry.blocks if block.kind == "python")
    assert used
    assert entry.names[0].rpartition(".")[2].lower() in used.lower() or len(entry.names) > 1


@pytest.mark.parametrize("page", OWN, ids=lambda page: page.stem)
def test_links_lead_to_headings(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text("utf-8")):
        assert anchor in anchors(page.parent / target if target else page), anchor


def test_the_index_names_every_page() -> None:
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    for page in PAGES.glob("*.md"):
        assert f"(python/{page.name})" in index


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as the rendered page has them."""
    found: Counter[str] = Counter()
    out = set()
    for heading in re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        out.add(f"{plain}-{found[plain]}" if found[plain] else plain)
        found[plain] += 1
    return out


def test_python_has_the_formatters_form(tmp_path: Path) -> None:
    for page in OWN:
        for block in blocks(page):
            if block.kind == "python" and "values" not in block.note:
                (tmp_path / f"{page.stem}_{block.line}.py").write_text(block.text.strip("\n") + "\n", "utf-8")
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--diff", "--line-length=110", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
