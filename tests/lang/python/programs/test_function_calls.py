"""Functions in containers: what a user may do in them as anywhere else."""

from __future__ import annotations

import pytest
from tests.lang.python.functions.userproject import UserProject
from tests.lang.python.programs.program import Program, recording_of

from pybuild.lang.diagnostics import SourceError, render


def test_multiprocessing_and_pickle(user: UserProject) -> None:
    """However processes are started, they don't start the function again."""
    build = user.module("""
        import multiprocessing, pickle

        class Kept:
            def __init__(self): self.value = 1

        def double(x):
            return 2 * x

        def work():
            print("once")
            found = [pickle.loads(pickle.dumps(Kept())).value]
            for method in ("fork", "spawn"):
                with multiprocessing.get_context(method).Pool(1) as pool:
                    found += pool.map(double, [1, 2])
            return found
    """)
    done = user.run(user.payload(build.work))
    assert (done.value, done.out, done.err) == ([1, 2, 4, 2, 4], "once\n", "")


def test_the_order_of_dicts_is_kept(user: UserProject) -> None:
    build = user.module("""
        TABLE = {"z": 1, "a": 2}

        def work(given, **named):
            return [list(TABLE), list(given), list(named)]
    """)
    made = user.payload(build.work, {"y": 1, "b": 2}, q=1, c=2)
    assert user.run(made).value == [["z", "a"], ["y", "b"], ["q", "c"]]
    build.TABLE = {"a": 2, "z": 1}
    assert user.payload(build.work, {"y": 1, "b": 2}, q=1, c=2).files != made.files


def test_a_function_of_no_module(user: UserProject) -> None:
    build = user.module("names = {}\nexec('def work(): return 1', names)\nwork = names['work']\n")
    assert "the source of `work` can't be found" in user.refused(build.work)


@pytest.mark.parametrize(
    "use", ['t.write(f"{value}", to="/v")', "t.env(A=value)", "list(value)", "value or 1"]
)
def test_what_is_returned_is_no_value_of_the_build(use: str, program: Program) -> None:
    text = """
        import pybuild as pb

        def work():
            return 1

        @pb.target
        def made(t):
            t.from_("python:3")
            value = t.call(work)
            USE
    """
    with pytest.raises(SourceError) as caught:
        recording_of(program.module("made", text.replace("USE", use)).made)
    said = render(caught.value.diagnostic)
    assert "made.py:10:" in said
    assert "to another call" in said
