"""`pybuild fmt` as a command: what it writes, prints and returns."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pybuild.build import errors
from pybuild.cli.commands import main

UGLY = "from   scratch\n\n\n\nrun  true  "
NICE = "FROM scratch\n\nRUN true\n"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


@pytest.fixture
def fmt(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str) -> tuple[int, str, str]:
        try:
            code = main(["fmt", *arguments])
        except BaseException as error:
            code = errors.report(error, sys.stderr)
        out, err = capsys.readouterr()
        return code, out, err

    return call


def test_the_file_of_this_directory(place: Path, fmt: Run) -> None:
    (place / "Containerfile").write_text(UGLY)
    assert fmt() == (0, "", "formatted Containerfile\n")
    assert (place / "Containerfile").read_text() == NICE
    assert fmt() == (0, "", "")


def test_files_and_directories(place: Path, fmt: Run) -> None:
    (place / "sub").mkdir()
    for name in ("sub/Dockerfile", "other.Dockerfile"):
        (place / name).write_text(UGLY)
    assert fmt("sub", "other.Dockerfile", "sub") == (
        0, "", "formatted sub/Dockerfile\nformatted other.Dockerfile\n"
    )  # fmt: skip
    assert [(place / name).read_text() for name in ("sub/Dockerfile", "other.Dockerfile")] == [NICE, NICE]


def test_check_lists_and_writes_nothing(place: Path, fmt: Run) -> None:
    (place / "a").write_text(UGLY)
    (place / "b").write_text(NICE)
    assert fmt("--check", "a", "b") == (1, "a\n", "")
    assert (place / "a").read_text() == UGLY
    assert fmt("--check", "b") == (0, "", "")


def test_diff(place: Path, fmt: Run) -> None:
    (place / "a").write_text(UGLY)
    code, out, _ = fmt("--diff", "a")
    assert code == 0
    assert out.startswith("--- a\n+++ a\n")
    assert "-run  true  \n\\ No newline at end of file\n" in out
    assert "+RUN true\n" in out
    assert fmt("--diff", "--check", "a")[0] == 1
    assert (place / "a").read_text() == UGLY


def test_standard_input(fmt: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(UGLY.encode())))
    assert fmt("-") == (0, NICE, "")


def test_a_bad_file_stops_all(place: Path, fmt: Run) -> None:
    (place / "a").write_text(UGLY)
    (place / "b").write_text("FROM scratch\nRUM true\n")
    (place / "c").write_text("")
    code, out, err = fmt("a", "b", "c", "d")
    assert (code, out) == (2, "")
    assert "b:2:1" in err
    assert "did you mean RUN?" in err
    assert "c is empty" in err
    assert "there is no file d" in err
    assert (place / "a").read_text() == UGLY


def test_other_languages_are_refused(place: Path, fmt: Run) -> None:
    (place / "a").write_text("# syntax=example.com/some/frontend\nFROM scratch\n")
    code, _, err = fmt("a")
    assert code == 2
    assert "example.com/some/frontend" in err


def test_extensions(place: Path, fmt: Run) -> None:
    text = "include   parts/base\nrun  x\nunset  volume   /a\ncopy   --optional  a  /b\n"
    (place / "a").write_text("# syntax=pybuild/dockerfile:1\n" + text)
    (place / "b").write_text(text)
    assert fmt("a")[0] == 0
    assert (place / "a").read_text() == (
        "# syntax=pybuild/dockerfile:1\nINCLUDE parts/base\nRUN x\nUNSET volume /a\nCOPY --optional a /b\n"
    )
    assert fmt("b")[0] == 2


def test_mode_mark_links_and_bytes_stay(place: Path, fmt: Run) -> None:
    (place / "real").write_bytes(b"\xef\xbb\xbffrom  scratch\r\nlabel  a=\xff\r\n")
    (place / "real").chmod(0o640)
    (place / "link").symlink_to("real")
    assert fmt("link")[0] == 0
    assert (place / "real").read_bytes() == b"\xef\xbb\xbfFROM scratch\r\nLABEL a=\xff\r\n"
    assert stat.S_IMODE((place / "real").stat().st_mode) == 0o640
    assert (place / "link").is_symlink()
    assert sorted(os.listdir(place)) == ["link", "real"]


def test_a_file_that_cannot_be_written_stays(place: Path, fmt: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: str, target: str) -> None:
        raise OSError(28, os.strerror(28))

    (place / "a").write_text(UGLY)
    monkeypatch.setattr("os.replace", full)
    code, _, err = fmt("a")
    assert (code, "cannot write a: No space left on device" in err) == (1, True)
    assert (place / "a").read_text() == UGLY
    assert os.listdir(place) == ["a"]


def test_a_file_of_the_language(place: Path, fmt: Run) -> None:
    (place / "build.pybuild").write_text("target a:\n  from 'x'\n  run:\n    y\n")
    assert fmt("--check") == (1, "build.pybuild\n", "")
    code, out, _ = fmt("--diff")
    assert code == 0
    assert "\n+    run y\n" in out
    assert fmt() == (0, "", "formatted build.pybuild\n")
    assert (place / "build.pybuild").read_text() == 'target a:\n    from "x"\n    run y\n'
    assert fmt("--check") == (0, "", "")


def test_a_file_of_the_language_with_mistakes(place: Path, fmt: Run) -> None:
    (place / "build.pybuild").write_text("target a\n")
    code, out, err = fmt()
    assert (code, out) == (2, "")
    assert "error[E0113]" in err
