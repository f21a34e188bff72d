"""`./test` knows the rooms of the tests by the folders that there are."""

from __future__ import annotations

import re
import subprocess

import pytest
from tests.guards.imports import ROOT

SCRIPT = (ROOT / "test").read_text(encoding="utf-8")


def folders_of(word: str) -> list[str]:
    """What the script takes a word for."""
    function = re.search(r"^folders_of\(\) \{\n.*?^\}$", SCRIPT, re.M | re.S)
    assert function is not None
    done = subprocess.run(
        ["bash", "-c", f'{function[0]}\nfolders_of "$1"', "-", word],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return sorted(done.stdout.split())


@pytest.mark.parametrize(
    ("word", "folders"),
    [
        ("sandbox", ["tests/runtime/sandbox"]),
        ("runtime/ops", ["tests/runtime/ops"]),
        ("dockerfile", ["tests/compiler/lower/dockerfile", "tests/frontends/dockerfile", "tests/lang/dockerfile"]),
        ("guards", ["tests/guards"]),
        ("cases", []),  # a folder without tests
        ("tests/guards", []),
        ("nothing of this name", []),
    ],
)  # fmt: skip
def test_words_for_rooms(word: str, folders: list[str]) -> None:
    assert folders_of(word) == folders


def test_quick_runs_a_room_or_says_that_it_does_not() -> None:
    comment, rooms = re.search(r"((?:^#[^\n]*\n)+)QUICK=\((.*?)\)", SCRIPT, re.M | re.S).groups()  # type: ignore[union-attr]
    tests = {path.name for path in (ROOT / "tests").iterdir() if next(path.rglob("test_*.py"), None)}
    quick = {room.removeprefix("tests/").split("/")[0] for room in rooms.split()}
    assert all((ROOT / room).is_dir() for room in rooms.split())
    assert {name for name in tests - quick if not re.search(rf"\b{name}\b", comment)} == set()
