"""How long lines are shown."""

from __future__ import annotations

import pytest

from pybuild.lang.diagnostics import LONGEST_LINE, Diagnostic, Label, render
from pybuild.lang.source import Source, Span


def frame(line: str, column: int, end: int) -> tuple[str, str]:
    """The line and the marks that are shown, without what stands before them."""
    span = Span(Source("Dockerfile", f"{line}\n"), 1, column, 1, end)
    shown, marks = render(Diagnostic("title", labels=[Label(span)])).split("\n")[3:5]
    return shown.removeprefix("1 | "), marks.removeprefix("  | ")


def test_a_short_line_is_shown_whole() -> None:
    line = "x" * (LONGEST_LINE - 3) + "bad"
    assert frame(line, LONGEST_LINE - 2, LONGEST_LINE + 1) == (line, " " * (LONGEST_LINE - 3) + "^^^")


@pytest.mark.parametrize("before", [0, 5, 150, 199, 200, 201, 399, 400, 401, 5000, 9996, 9997])
def test_marks_stay_below_what_they_mark(before: int) -> None:
    line = "." * before + "bad" + "." * (9997 - before)
    shown, marks = frame(line, before + 1, before + 4)
    assert len(shown) <= LONGEST_LINE + 2
    assert marks.strip() == "^^^"
    at = len(marks) - 3
    assert shown[at : at + 3] == "bad"
    assert shown.startswith("…") == (not line.startswith(shown[: LONGEST_LINE // 2]))
    assert shown.endswith("…") == (not line.endswith(shown[-LONGEST_LINE // 4 :]))


def test_a_mark_ends_where_the_line_is_cut() -> None:
    shown, marks = frame("y" * 100_000, 1, 100_001)
    assert shown == "y" * LONGEST_LINE + "…"
    assert marks in ("^" * LONGEST_LINE, "^" * (LONGEST_LINE + 1))
