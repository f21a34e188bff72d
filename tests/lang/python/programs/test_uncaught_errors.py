"""Errors of a program that nobody catches, and those that go elsewhere."""

from __future__ import annotations

import copy
import pickle
import traceback

import pytest
from tests.lang.python.programs.program import Program, recording_of

from pybuild.builder import Builder
from pybuild.builder.options import fields_of
from pybuild.lang.diagnostics import Cancelled, Diagnostic, SourceErrors, UsageError, UserError
from pybuild.runtime.ops.failures import StepFailed

WRONG = """
    import pybuild as pb

    @pb.target
    def web(t):
        t.from_("alpine")
        t.runn("make")
        t.envv(A="1")
"""


def test_a_traceback_ends_in_the_whole_message(program: Program) -> None:
    with pytest.raises(SourceErrors) as caught:
        recording_of(program.module("wrong", WRONG).web)
    shown = "".join(traceback.format_exception_only(caught.value))
    assert "error[E0112]: unknown statement or step `runn`" in shown
    assert "t.runn(" in shown
    assert "did you mean `run`?" in shown


def test_notes_are_added_to_the_message() -> None:
    error = UsageError("no such thing", help="look elsewhere")
    error.add_note("while packing")
    assert error.__notes__ == ["error: no such thing\n = help: look elsewhere", "while packing"]
    assert str(error) == "no such thing"


@pytest.mark.parametrize("again", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_errors_reach_other_processes(again: object) -> None:
    assert callable(again)
    failed = StepFailed.__new__(StepFailed)
    UserError.__init__(failed, "`run` failed")
    failed.code = 4
    several = SourceErrors([Diagnostic("one", code="R0001"), Diagnostic("two", code="R0002")])
    for error in (failed, several, Cancelled(), UsageError("wrong", help="right")):
        found = again(error)
        assert type(found) is type(error)
        assert (str(found), found.exit_code) == (str(error), error.exit_code)
        assert found.__notes__ == error.__notes__
    assert again(failed).code == 4


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("push", "no"),
        ("parallelism", "4"),
        ("no_cache", 1),
        ("outputs", 5),
        ("build_args", ["A=1"]),
        ("secrets", ["token"]),
        ("secrets", {"token": 4}),
        ("registries", 3),
    ],
)
def test_values_of_another_type(name: str, value: object) -> None:
    with pytest.raises(TypeError, match=r"option|secret"):
        fields_of({name: value}, None)


def test_an_empty_list_of_targets_is_not_the_default() -> None:
    with Builder() as builder, pytest.raises(UsageError, match="nothing is to be built"):
        builder.build([])
