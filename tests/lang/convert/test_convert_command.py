"""`pybuild convert` as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pybuild.cli.commands import main
from pybuild.lang.diagnostics import UserError

DOCKERFILE = "FROM alpine:3.20\nCOPY src /app/\nCOPY a.txt link /b/\nHEALTHCHECK CMD x\n"
CONVERTED = """\
# syntax=pybuild:1

target image:
    from "alpine:3.20"
    copy "src/" to "/app/"
    copy "a.txt", "link/" to "/b/"
    # differs: the config says CMD and a shell for CMD-SHELL, which runs the same
    healthcheck ["/bin/sh", "-c", "x"]
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, which is the working directory."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "f").write_text("f")
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "link").symlink_to("a.txt")
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYBUILD_ROOT", str(tmp_path / "store"))
    return tmp_path


def test_a_process(here: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pybuild", "convert"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, CONVERTED)
    assert done.stderr == (
        "Dockerfile:4:1: differs: the config says CMD and a shell for CMD-SHELL, which runs the same\n"
    )
    assert not (here / "store").exists()


def test_nothing_is_written_over(here: Path) -> None:
    assert main(["convert", "-o", "build.pybuild"]) == 0
    assert (here / "build.pybuild").read_text() == CONVERTED
    (here / "build.pybuild").write_text("mine")
    with pytest.raises(UserError, match=r"build\.pybuild is there already"):
        main(["convert", "Dockerfile", "-o", "build.pybuild"])
    assert (here / "build.pybuild").read_text() == "mine"
    assert main(["convert", "Dockerfile", "--force", "-o", "build.pybuild"]) == 0
    assert (here / "build.pybuild").read_text() == CONVERTED


def test_to_python(here: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["convert", "--to", "python"]) == 0
    direct = capsysbinary.readouterr().out
    assert b't.copy("src/", to="/app/")' in direct
    assert main(["convert", "-o", "build.pybuild"]) == 0
    assert main(["convert", "build.pybuild"]) == 0
    assert capsysbinary.readouterr().out == direct


def test_the_context_of_a_file_elsewhere(here: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    (here / "docker").mkdir()
    os.rename("Dockerfile", "docker/app.Dockerfile")
    (here / "docker" / "app.Dockerfile.dockerignore").write_text("*.md\n# no\n!README.md\n")
    assert main(["convert", "docker/app.Dockerfile", "--context", "."]) == 0
    out = capsysbinary.readouterr().out.decode()
    assert out == CONVERTED.replace("\n\n", '\n\nignore "*.md", "!README.md"\n\n', 1)


@pytest.mark.parametrize(
    ("words", "title"),
    [
        (["convert", "--to", "cobol"], "unknown kind 'cobol'"),
        (["convert", "nowhere"], "there is no file nowhere"),
        (["convert", "--context", "nowhere"], "the context nowhere is not a directory"),
        (["convert", "-o", "no/where"], "no/where can't be written: no such file or directory"),
        (["convert", "--to", "pybuild", "mine.pybuild"], "mine.pybuild is a file of the language already"),
        (["convert", "other.Dockerfile"], "a file for the frontend example.org/other:1 can't be converted"),
    ],
)
def test_what_is_wrong(words: list[str], title: str, here: Path) -> None:
    (here / "mine.pybuild").write_text("# syntax=pybuild:1\n")
    (here / "other.Dockerfile").write_text("# syntax=example.org/other:1\nFROM a\n")
    with pytest.raises(UserError) as wrong:
        main(words)
    assert wrong.value.diagnostic.title == title
