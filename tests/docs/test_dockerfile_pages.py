"""`docs/dockerfile` is true: every Dockerfile is built, or at least lowered, with the results that the page shows.

`PYBUILD_WRITE_CASES=1` writes the results into the pages.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from tests.docs.examples import PAGES, Example, Outcome, blocks, examples, shows

WRITE = os.environ.get("PYBUILD_WRITE_CASES", "") not in ("", "0")
EXAMPLES = list(examples())


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of builds. All examples share a store, so the base is made once; builds use --no-cache."""
    place = tmp_path_factory.mktemp("home")
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYBUILD_", "BUILDKIT_"))
    }
    kept.pop("SOURCE_DATE_EPOCH", None)
    kept |= {"PYBUILD_ROOT": str(place / "store"), "HOME": str(place), "LC_ALL": "C.UTF-8"}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.mark.root
@pytest.mark.crun
@pytest.mark.parametrize("example", [pytest.param(one, id=one.name) for one in EXAMPLES])
def test_example(example: Example, tmp_path: Path, environment: dict[str, str]) -> None:
    place = tmp_path / "context"
    place.mkdir()
    outcome = Outcome(example, place, environment)
    if WRITE:
        write(example, outcome)
        return
    for block in example.shown:
        assert block.text == outcome.shown(block)
    assert outcome.rules == example.finds
    fails = any("fails" in block.note for block in example.shown)
    if example.built or not example.finds:
        assert (outcome.code != 0) == fails, outcome.error


def write(example: Example, outcome: Outcome) -> None:
    """Write the results into the page. Offsets are read again: other examples may have become longer."""
    page = example.page.read_text(encoding="utf-8")
    same = [one for one in examples() if one.page == example.page]
    for block in reversed(same[example.number].shown):
        page = page[: block.start] + outcome.shown(block) + page[block.end :]
    example.page.write_text(page, encoding="utf-8")


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: page.stem)
def test_what_is_shown_belongs_to_an_example(page: Path) -> None:
    above = ""
    for block in blocks(page):
        if shows(block):
            assert above in ("dockerfile", "sh", "shown"), block.text
            assert block.kind == ("json" if "config" in block.note else "text")
            above = "shown"
        else:
            above = block.kind


def test_the_index_names_every_page() -> None:
    links = re.findall(r"\]\(([\w-]+)\.md\)", (PAGES / "index.md").read_text(encoding="utf-8"))
    assert sorted({*links, "index"}) == sorted(page.stem for page in PAGES.glob("*.md"))
