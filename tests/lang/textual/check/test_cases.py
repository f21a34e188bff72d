"""The language tested in the language: what the check says of small programs."""

from __future__ import annotations

import pytest
from tests.lang.textual.check.casefiles import FOLDER, Case, cases, rendered

CASES = [(path.stem, case) for path in sorted(FOLDER.glob("*.md")) for case in cases(path)]


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{stem}: {case.title}") for stem, case in CASES])
def test_a_program_has_these_mistakes(case: Case) -> None:
    if case.expected or case.rendered is None:
        assert case.found() == list(case.expected)
    if case.rendered is not None:
        assert rendered(case.run()) == case.rendered


def test_titles_are_unique() -> None:
    titles = [(stem, case.title) for stem, case in CASES]
    assert len(titles) == len(set(titles)) > 0
