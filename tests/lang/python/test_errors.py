"""What is said of build modules that are wrong (`errors/*.md`): a case has files, and a command with all that it
says. `PYBUILD_WRITE_CASES=1` writes what is said anew."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from attrs import frozen
from tests.lang.textual.codes.commands import Here
from tests.lang.textual.codes.pages import write

CASES = Path(__file__).parent / "errors"
WRITE = os.environ.get("PYBUILD_WRITE_CASES", "") not in ("", "0")
_CASE = re.compile(r"^## (?P<title>[^\n]+)\n(?P<rest>.*?)(?=^## |\Z)", re.M | re.S)
_FILE = re.compile(r"^```python (\S+)\n(.*?)^```$", re.M | re.S)
_CONSOLE = re.compile(r"^```console\n\$ (?P<command>[^\n]+)\n(?P<shown>.*?)^```$", re.M | re.S)


@frozen
class Case:
    path: Path
    title: str
    files: dict[str, str]
    command: str
    shown: str


def cases() -> list[object]:
    found: list[object] = []
    for path in sorted(CASES.glob("*.md")):
        for one in _CASE.finditer(path.read_text()):
            console = _CONSOLE.search(one["rest"])
            assert console is not None, one["title"]
            case = Case(
                path, one["title"], dict(_FILE.findall(one["rest"])), console["command"], console["shown"]
            )
            found.append(pytest.param(case, id=f"{path.stem}: {case.title}"))
    return found


def rewrite(case: Case, shown: str) -> None:
    before, title, rest = case.path.read_text().partition(f"## {case.title}\n")
    head, fence, rest = rest.partition("```console\n")
    _, closing, rest = rest.partition("```\n")
    case.path.write_text(f"{before}{title}{head}{fence}$ {case.command}\n{shown}{closing}{rest}")


@pytest.mark.parametrize("case", cases())
def test_this_is_said(
    case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Here(tmp_path, capsys, monkeypatch)
    write(case.files, here.directory)
    status, said = here.run(case.command, case.files)
    if WRITE:
        rewrite(case, said)
        return
    assert said == case.shown
    assert status == (2 if "error[" in said else 1)
    assert "Traceback" not in said
    assert "bug in pybuild" not in said


FIXABLE = """\
import pybuild as pb


@pb.target
def web(t):
    t.from_("debian:12")
    t.copy("READNE.md", to="/")
"""


def test_no_edit_of_the_language_is_made_in_a_module(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an edit writes is text of the language."""
    here = Here(tmp_path, capsys, monkeypatch)
    files = {"build.py": FIXABLE, "README.md": ""}
    write(files, here.directory)
    _, said = here.run("pybuild check --fix build.py", files)
    assert "did you mean `README.md`?" in said
    assert (here.directory / "build.py").read_text() == FIXABLE
