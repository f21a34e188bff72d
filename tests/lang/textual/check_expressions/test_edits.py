"""Laws of messages about expressions: each has a code and one place, none is said twice, and edits put it right."""

from __future__ import annotations

import pytest
from tests.lang.textual.check.casefiles import Case
from tests.lang.textual.check_expressions.test_cases import CASES

from pybuild.lang.diagnostics import Diagnostic, Edit
from pybuild.lang.textual.codes import CODES

PARAMS = [pytest.param(case, id=f"{stem}: {case.title}") for stem, case in CASES]


@pytest.mark.parametrize("case", PARAMS)
def test_messages_are_whole(case: Case) -> None:
    found = case.run()
    assert len({(one.code, one.title, one.span) for one in found}) == len(found)
    for one in found:
        assert one.code in CODES
        assert [label.primary for label in one.labels].count(True) == 1
        assert not one.title.endswith(".")
        assert "error" not in one.title
        for _, text in one.notes:
            assert text.strip()


@pytest.mark.parametrize("case", PARAMS)
def test_an_edit_puts_it_right(case: Case) -> None:
    for one in case.run():
        if not one.edits:
            continue
        after = _edited(case, one.edits).run()
        assert _key(one) not in map(_key, after)
        if one.code != "E0112":  # a statement that takes no such arguments
            assert not [other.code for other in after if (other.code or "").startswith("E0110")], one.title


def _key(one: Diagnostic) -> tuple[str | None, str, str]:
    return one.code, one.title, one.span.place if one.span is not None else ""


def _edited(case: Case, edits: tuple[Edit, ...]) -> Case:
    files = dict(case.files)
    for edit in edits:
        span = edit.span
        lines = files[span.source.name].split("\n")
        line = lines[span.line - 1]
        assert span.line == span.end_line
        lines[span.line - 1] = line[: span.column - 1] + edit.text + line[span.end_column - 1 :]
        files[span.source.name] = "\n".join(lines)
    return Case(case.title, files, case.expected, None)
