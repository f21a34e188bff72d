"""Build modules with names that are out of the ordinary."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pybuild.cli.init import init
from pybuild.language.compiled import Compiled
from pybuild.language.pythonmodule import PythonCompiled
from pybuild.runtime.progress.observer import Observer, Tracked

MODULE = b"""
import dataclasses, types
import pybuild as pb

@dataclasses.dataclass
class Pair:
    one: "int"

@pb.target
def hello(t):
    t.from_("alpine")
    t.run("echo ${{n}}", n=Pair(1).one)
"""


def compiled(directory: Path, name: str) -> Compiled:
    path = directory / name
    path.write_bytes(MODULE)
    return PythonCompiled(str(path), MODULE)


@pytest.mark.parametrize(
    "name", ["types.py", "attrs.py", "pybuild.py", "a-b.py", "a b.py", ".py", "caf\udce9.py"]
)
def test_a_file_of_any_name(name: str, tmp_path: Path) -> None:
    """Also one of a module that Python, or pybuild itself, needs."""
    made = compiled(tmp_path, name)
    goals = made.recipe(made.program()).requested
    assert [goal.name for goal in goals] == ["hello"]


def test_progress_names_files_that_are_not_unicode() -> None:
    name = os.fsdecode(b"load caf\xe9.py")
    assert Tracked(Observer(), name).digest != Tracked(Observer(), name[:-4]).digest


def test_a_new_build_file_beside_a_module_is_named_to_be_built(tmp_path: Path) -> None:
    (tmp_path / "build.py").write_text("# syntax=python:1\n")
    assert f"pybuild build -f {tmp_path}/build.pybuild" in init(str(tmp_path)).text()
