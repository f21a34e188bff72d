"""Expressions and what they come to, written in the language."""

from __future__ import annotations

import pytest
from tests.lang.textual.evaluate.scenes import FOLDER, Case, cases

from pybuild.lang.textual.expand.values import identity

CASES = [
    pytest.param(case, id=f"{path.stem}: {case.text}")
    for path in sorted(FOLDER.glob("*.md"))
    for case in cases(path)
]


@pytest.mark.parametrize("case", CASES)
def test_expression(case: Case) -> None:
    if case.sign == "=":
        assert identity(case.stage.value(case.expr)) == identity(case.stage.value(case.wanted))
        return
    code, _, title = case.wanted.partition(" ")
    failure = case.stage.failure(case.expr)
    assert failure.code == code
    assert title in failure.title
    assert failure.span is not None
