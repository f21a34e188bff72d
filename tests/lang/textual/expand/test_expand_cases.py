"""The language tested in the language: what small programs expand to, and what is wrong with them."""

from __future__ import annotations

import pytest
from tests.lang.textual.expand.programs import FOLDER, Case, cases

CASES = [(path.stem, case) for path in sorted(FOLDER.glob("*.md")) for case in cases(path)]


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{stem}: {case.title}") for stem, case in CASES])
def test_a_program_expands_to_this(case: Case) -> None:
    assert case.run() == case.expected
    assert case.run() == case.expected, "it is the same each time"


def test_titles_are_unique() -> None:
    titles = [(stem, case.title) for stem, case in CASES]
    assert len(titles) == len(set(titles)) > 0
