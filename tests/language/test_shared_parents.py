"""Modules above the build file's directory: whose they are, and links that leave the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pybuild.lang.diagnostics import SourceErrors
from pybuild.lang.textual.modules import Program
from pybuild.language.compiled import Compiled

OTHER = 1234
TEXT = b'# syntax=pybuild:1\n\nuse "PATH" as lib\n\ntarget x:\n    from lib.base()\n'
MODULE = "# syntax=pybuild:1\n\ndef base() -> state:\n    from scratch\n"

pytestmark = pytest.mark.root


def compiled(directory: Path, path: str) -> Program:
    return Compiled(str(directory / "build.pybuild"), TEXT.replace(b"PATH", path.encode())).program()


def code(directory: Path, path: str) -> tuple[str | None, str]:
    with pytest.raises(SourceErrors) as caught:
        compiled(directory, path)
    diagnostic = caught.value.diagnostic
    return diagnostic.code, diagnostic.title


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A directory of root's in a repository, beside a module."""
    for name in (".git", "mine"):
        (tmp_path / name).mkdir()
    (tmp_path / "lib.pybuild").write_text(MODULE)
    return tmp_path / "mine"


def test_a_module_above_in_ones_own_repository(mine: Path) -> None:
    assert compiled(mine, "../lib.pybuild")


def test_another_users_repository_makes_no_project(mine: Path) -> None:
    os.chown(mine.parent / ".git", OTHER, OTHER)
    assert code(mine, "../lib.pybuild") == (
        "E0804",
        "the module `../lib.pybuild` lies outside of the project",
    )


def test_another_users_module_above(mine: Path) -> None:
    os.chown(mine.parent / "lib.pybuild", OTHER, OTHER)
    found, title = code(mine, "../lib.pybuild")
    assert (found, title) == (
        "E0801",
        f"the module `../lib.pybuild` doesn't count: it belongs to user {OTHER}",
    )
    (mine / "lib.pybuild").write_text(MODULE)
    os.chown(mine / "lib.pybuild", OTHER, OTHER)
    assert compiled(mine, "./lib.pybuild")


def test_a_module_above_that_everyone_can_write(mine: Path) -> None:
    (mine.parent / "lib.pybuild").chmod(0o666)
    assert "can be written by everyone" in code(mine, "../lib.pybuild")[1]
    mine.chmod(0o777)
    assert compiled(mine, "../lib.pybuild")


@pytest.mark.parametrize("link", ["directory", "file"])
def test_a_link_that_leaves_the_project(tmp_path: Path, mine: Path, link: str) -> None:
    (mine / ".git").mkdir()
    (mine / "sub").mkdir()
    if link == "directory":
        (mine / "sub" / "to").symlink_to(tmp_path)
        path = "./sub/to/lib.pybuild"
    else:
        (mine / "sub" / "lib.pybuild").symlink_to("../../lib.pybuild")
        path = "./sub/lib.pybuild"
    assert code(mine, path)[0] == "E0804"


def test_a_program_that_is_no_repository_starts_no_git(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert compiled(mine, "../lib.pybuild")
