"""Whole messages (language spec, section 17): exactly those of the case files, and those that depend on the
surroundings of a file. In a program `@N` stands for empty lines up to line N."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.lang.textual.codes.commands import Here
from tests.lang.textual.codes.pages import write

from pybuild.lang.diagnostics import Diagnostic, Label, UserError, render
from pybuild.lang.source import Source, Span
from pybuild.lang.textual.problems import lock
from pybuild.lang.textual.problems.solve import run_failed, source_failed

FOLDER = Path(__file__).parent / "cases"
_CASE = re.compile(r"^## (?P<title>[^\n]+)\n(?P<rest>.*?)(?=^## |\Z)", re.M | re.S)
_FILE = re.compile(r"^```pybuild (?P<name>\S+)\n(?P<text>.*?)^```$", re.M | re.S)
_CONSOLE = re.compile(r"^```console\n\$ (?P<command>[^\n]+)\n(?P<shown>.*?)^```$", re.M | re.S)


def _spread(text: str) -> str:
    out: list[str] = []
    for line in text.split("\n"):
        if line.startswith("@"):
            out += [""] * (int(line[1:]) - 1 - len(out))
        else:
            out.append(line)
    return "\n".join(out)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(one["rest"], id=f"{path.stem}: {one['title']}")
        for path in (FOLDER / "specification.md", FOLDER / "outside.md")
        for one in _CASE.finditer(path.read_text())
    ],
)
def test_the_message_is_literally_this(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Here(tmp_path, capsys, monkeypatch)
    files = {one["name"]: _spread(one["text"]) for one in _FILE.finditer(case)}
    write(files, here.directory)
    console = _CONSOLE.search(case)
    assert console is not None
    _, said = here.run(console["command"], files)
    messages = [one.rstrip("\n") + "\n" for one in said.split("\n\n") if "[W0802]" not in one]
    assert messages == [console["shown"]]


# What only a build that runs can say

SOURCE = Source(
    "build.pybuild",
    "\n" * 28
    + '    copy "a" from http("https://acme.test/a") to "/a"\n            uv sync --frozen --no-dev\n',
)
SUM = "sha256:" + "5a" * 32


def _at(line: int, column: int, end: int) -> Span:
    return Span(SOURCE, line, column, line, end)


def _failed(title: str, help: str, code: str) -> Diagnostic:
    return source_failed(UserError(title, help=help), _at(29, 19, 46), code)


RUNNING = {
    "run": run_failed(
        _at(30, 13, 38),
        2,
        where="`web` for linux/arm64",
        seconds=1.9,
        lines=["× Failed to build `orjson==3.10.7`", "error: rustc not found"],
        total=14,
        advice="open a shell in this state with `pybuild debug web`",
    ),
    "limit": run_failed(
        _at(30, 13, 38),
        137,
        where="`web`",
        seconds=12.25,
        lines=[],
        total=0,
        advice="raise the limit",
        limit="32MiB of memory",
    ),
    "source": _failed("invalid response status 404: https://acme.test/a", "check the address", "R0002"),
    "digest": _failed("digest mismatch", "check the checksum", "R0003"),
    "secret": _failed("secret token: not found", "give it to the build", "R0004"),
    "silence": _failed("cannot download it: no answer within 60 s", "check the network", "R0005"),
    "missing": lock.not_locked("https://acme.test/a", _at(29, 19, 46)),
    "changed": lock.differs("https://acme.test/a", f"digest mismatch {SUM}", _at(29, 19, 46)),
}


@pytest.mark.parametrize(
    ("name", "shown"),
    re.findall(r"^## (\w+)\n\n```text\n(.*?)^```$", (FOLDER / "running.md").read_text(), re.M | re.S),
)
def test_a_failure_is_shown_like_this(name: str, shown: str) -> None:
    assert render(RUNNING[name]) + "\n" == shown


def test_each_failure_is_shown() -> None:
    assert set(re.findall(r"^## (\w+)$", (FOLDER / "running.md").read_text(), re.M)) == set(RUNNING)


def test_a_message_about_another_place_keeps_its_own() -> None:
    error = UserError(Diagnostic("gone", labels=[Label(_at(30, 13, 38), "here")]))
    assert source_failed(error, _at(29, 19, 46)).span == _at(30, 13, 38)
