"""Functions run in containers: what they write, print, return and raise, and when they run again."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.lang.python.functions.pythonimage import make_python_layout
from tests.lang.python.functions.stage import Script, Stage, value_of
from tests.lang.python.functions.userproject import UserProject

from pybuild.lang.python.functions import decode
from pybuild.lang.recipe import RunUser, TmpfsMount

pytestmark = [pytest.mark.root, pytest.mark.crun]


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_python_layout(tmp_path_factory.mktemp("python-image"))


@pytest.fixture
def stage(tmp_path: Path, layout: Path) -> Stage:
    return Stage(tmp_path / "store", layout)


BUILD = """
    import os
    from dataclasses import dataclass

    @dataclass
    class Made:
        path: str
        size: int

    def write(path, text):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        print("wrote", path, "as", os.getuid(), "in", os.getcwd())
        return Made(path, len(text))

    def check(made, *, factor):
        print(f"{made.path} has {made.size}")
        return made.size * factor

    def fail():
        print("before", flush=True)
        write("/out/x", None)
"""


def test_a_call_leaves_its_files_and_returns(user: UserProject, stage: Stage) -> None:
    build = user.module(BUILD)
    script = Script()
    made = script.call(user.payload(build.write, "/out/hello", "hello\n"))
    number = script.call(user.payload(build.check, made, factor=7))
    solved = stage.solve(script.body, value_of(made), value_of(number))
    assert solved.text == "wrote /out/hello as 0 in /\n/out/hello has 6\n"
    assert solved.files[0]["out/hello"] == b"hello\n"
    assert decode(solved.files[1]["value.json"], made.classes) == build.Made("/out/hello", 6)
    assert decode(solved.files[2]["value.json"]) == 42
    again = stage.solve(value_of(number), value_of(made))
    assert [one["value.json"] for one in again.files] == [b"42\n", solved.files[1]["value.json"]]
    assert not [name for name in again.ran if "call" in name]
    assert solved.changes[0] == set(), "the second call writes no file, and no mount point stays"
    assert [name for name in solved.ran if "call" in name] == [
        '[image 2/3] call write("/out/hello", "hello\\n")',
        "[image 3/3] call check(…, factor=7)",
    ]


def test_the_layer_has_what_the_function_wrote_and_nothing_else(user: UserProject, stage: Stage) -> None:
    build = user.module(BUILD)
    script = Script()
    script.call(user.payload(build.write, "/out/hello", "hello\n"))
    (changes,) = stage.solve(script.body).changes
    assert changes == {"out", "out/hello"}


def test_a_call_runs_again_when_what_it_needs_has_changed(user: UserProject, stage: Stage) -> None:
    def ran(text: str, size: int = 2) -> list[str]:
        build = user.module(text)
        script = Script()
        made = script.call(user.payload(build.write, "/out/hello", "x" * size))
        script.call(user.payload(build.check, made, factor=7))
        return [name.split("(")[0].split()[-1] for name in stage.solve(script.body).ran if "call" in name]

    assert ran(BUILD) == ["write", "check"]
    assert ran(BUILD) == []
    assert (
        ran(
            "\n\n# moved, with something else before it\nOTHER = 1\n"
            + BUILD.replace("    ", "", 1).replace("\n    ", "\n")
        )
        == []
    )
    assert ran(BUILD.replace('print("before"', 'print("after"')) == [], "another function"
    assert ran(BUILD, 3) == ["write", "check"]
    assert ran(BUILD.replace('print("wrote"', 'print("made"')) == ["write"], (
        "it returns the same: check is a hit"
    )
    assert ran(BUILD.replace("factor\n", "factor + 1\n")) == ["check"]


def test_an_exception_names_the_lines_of_the_user(user: UserProject, stage: Stage) -> None:
    build = user.module("\n# a line above\n" + BUILD.replace("\n    ", "\n"))
    script = Script()
    script.call(user.payload(build.fail))
    solved = stage.solve(script.body)
    text = (user.directory / "build.py").read_text().splitlines()
    raised, called = (
        text.index(line) + 1 for line in ("        file.write(text)", '    write("/out/x", None)')
    )
    assert "exit code: 1" in solved.failure
    lines = solved.text.splitlines()
    assert lines[:3] == [
        "before",
        "Traceback (most recent call last):",
        f'  File "build.py", line {called}, in fail',
    ]
    assert f'  File "build.py", line {raised}, in write' in lines
    assert lines[-1] == "TypeError: write() argument must be str, not None"
    assert "pybuild" not in solved.text


def test_options_of_the_call_hold(user: UserProject, stage: Stage) -> None:
    build = user.module(BUILD)
    script = Script()
    made = script.call(user.payload(build.write, "/out/x", "x"), RunUser("1000"), TmpfsMount("/out", 0))
    solved = stage.solve(script.body, value_of(made))
    assert solved.text == "wrote /out/x as 1000 in /\n"
    assert decode(solved.files[1]["value.json"], made.classes) == build.Made("/out/x", 1)
