"""The order of messages, and how many there are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pybuild.lang.diagnostics import Diagnostic, Label
from pybuild.lang.source import Source, Span
from pybuild.lang.textual.arrange import MOST_ERRORS, arranged

FILES = [Source(name, "x\n" * 50) for name in ("b", "a")]


def said(file: int, line: int, level: str = "error", title: str = "t") -> Diagnostic:
    span = Span(FILES[file], line, 1, line, 2)
    return Diagnostic(title, code="E0201" if level == "error" else "W0201", level=level, labels=[Label(span)])


def places(diagnostics: list[Diagnostic]) -> list[str]:
    return [one.span.place if one.span else "" for one in diagnostics]


def test_files_stand_as_they_come_and_lines_in_order() -> None:
    found = arranged([said(0, 5), said(1, 9), said(0, 2), said(1, 1)])
    assert places(found) == ["b:2:1", "b:5:1", "a:1:1", "a:9:1"]


def test_each_message_once() -> None:
    assert len(arranged([said(0, 5), said(0, 5), said(0, 5, title="other")])) == 2


def test_messages_without_a_place_come_first() -> None:
    assert [one.title for one in arranged([said(0, 1), Diagnostic("no place")])] == ["no place", "t"]


def test_at_most_twenty_errors() -> None:
    found = arranged([*(said(0, n) for n in range(1, 26)), said(0, 30, "warning")])
    errors = [one for one in found if one.level == "error"]
    assert len(errors) == MOST_ERRORS == 20
    assert errors[-1].notes == (("note", "5 more errors are not shown"),)
    assert errors[-2].notes == ()
    assert [one.level for one in found if one not in errors] == ["warning"]


def test_one_more_error() -> None:
    found = arranged([said(0, n) for n in range(1, 22)])
    assert found[-1].notes == (("note", "1 more error is not shown"),)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 9), st.sampled_from(["error", "warning"]))))
def test_arranging_twice_changes_nothing(many: list[tuple[int, int, str]]) -> None:
    once = arranged([said(*one) for one in many])
    assert places(arranged(once)) == places(once)
    assert [one.level for one in arranged(once)] == [one.level for one in once]
