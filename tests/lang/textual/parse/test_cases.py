"""Golden cases: a program and all that is said about it, exactly as it is shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.lang.textual.parse.examples import parsed

from pybuild.lang.diagnostics import render
from pybuild.lang.textual.codes import CODES

_CASE = re.compile(r"^## ([^\n]*)\n+```pybuild\n(.*?)```\n+```text\n(.*?)\n?```$", re.MULTILINE | re.DOTALL)
CASES = [
    pytest.param(*found.groups()[1:], id=f"{path.stem}: {found[1]}")
    for path in sorted((Path(__file__).parent / "cases").glob("*.md"))
    for found in _CASE.finditer(path.read_text())
]


@pytest.mark.parametrize(("program", "shown"), CASES)
def test_this_is_what_is_said(program: str, shown: str) -> None:
    assert "\n\n".join(render(one) for one in parsed(program).diagnostics) == shown


def test_every_code_of_the_syntax_has_a_case() -> None:
    shown = "\n".join(str(case.values[1]) for case in CASES)
    codes = {code for code in CODES if code[:3] in ("E00", "E01")} | {"W0802"}
    assert {code for code in codes if f"[{code}]" not in shown} == {"E0106"}


@pytest.mark.parametrize(("program", "shown"), CASES)
def test_edits_put_it_right(program: str, shown: str) -> None:
    """Where a message has edits, they take the message away."""
    for one in parsed(program).diagnostics:
        if one.edits and one.span is not None:
            lines = program.split("\n")
            for edit in one.edits:
                span = edit.span
                assert span.line == span.end_line
                line = lines[span.line - 1]
                lines[span.line - 1] = line[: span.column - 1] + edit.text + line[span.end_column - 1 :]
            after = parsed("\n".join(lines)).diagnostics
            assert (one.code, one.title, one.span.line) not in {
                (left.code, left.title, left.span.line) for left in after if left.span and one.code != "E0100"
            }
