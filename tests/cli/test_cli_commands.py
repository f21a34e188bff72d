"""Commands other than build, and shell completion in a real shell."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import write

from pybuild import __version__
from pybuild.cli import completion

needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")


def test_version(pybuild: Any) -> None:
    assert pybuild("version") == (0, f"pybuild {__version__}\n", "")
    assert pybuild("--version") == (0, f"pybuild {__version__}\n", "")


@pytest.mark.parametrize(("word", "near"), [("biuld", "build"), ("grpah", "graph"), ("verison", "version")])
def test_unknown_commands(word: str, near: str, pybuild: Any) -> None:
    code, _, err = pybuild(word)
    assert (code, f"did you mean pybuild {near}?" in err) == (2, True)


def test_a_command_that_is_like_no_other(pybuild: Any) -> None:
    assert "commands are build, check, completion" in pybuild("xyzzy")[2]


@pytest.mark.parametrize("command", ["build", "check", "fmt", "graph", "prune", "version", "completion"])
def test_help(command: str, pybuild: Any) -> None:
    code, out, err = pybuild(command, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: pybuild {command}")
    for flag in completion.command_flags(command):
        assert flag.spelling in out


def graphs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    calls: list[Any] = []

    def graph(request: Any, observer: object, cancellation: object, format: str, *, linked: bool) -> bytes:
        assert not linked
        calls.append((request.context, request.file, request.target, format))
        return b"{}" if format != "llb" else b"\x0a\x00"

    monkeypatch.setattr("pybuild.build.graph.graph", graph)
    return calls


def test_graph(place: Path, monkeypatch: pytest.MonkeyPatch, pybuild: Any) -> None:
    calls = graphs(monkeypatch)
    write(place / "sub" / "other.Dockerfile", "")
    assert pybuild("graph") == (0, "{}\n", "")
    assert pybuild("graph", "sub/other.Dockerfile", "--target=a", "--format", "dot")[0] == 0
    assert pybuild("graph", "sub", "-f", "x")[0] == 0
    assert calls == [
        (".", None, None, "json"),
        ("sub/", "sub/other.Dockerfile", "a", "dot"),
        ("sub", "x", None, "json"),
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--format=jsn"], "did you mean json?"),
        (["no/such"], "there is no file no/such"),
        (["--push"], "no such option: --push"),
        (["--cache-to=x"], "--cache-to is not supported"),
        (["--format=llb", "no/a", "no/b"], "one file"),
        (["no/a", "no/b", "c"], "several files"),
    ],
)
def test_graph_refusals(arguments: list[str], words: str, pybuild: Any) -> None:
    code, out, err = pybuild("graph", *arguments)
    assert (code, out) == (2, "")
    assert words in err


def test_prune(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pybuild: Any) -> None:
    roots: list[str] = []
    monkeypatch.setattr("pybuild.cli.prune.prune", roots.append)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert "prune --all removes all of it" in pybuild("prune")[2]
    assert "add --force" in pybuild("prune", "--all")[2]
    assert roots == []
    assert pybuild("prune", "--all", "-f")[0] == 0
    assert roots == [str(tmp_path / "store")]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a command `pybuild`."""
    directory = tmp_path_factory.mktemp("bin")
    path = write(directory / "pybuild", f'#!/bin/sh\nexec "{sys.executable}" -m pybuild "$@"\n')
    path.chmod(0o755)
    return directory


def complete(program: Path, place: Path, *words: str) -> list[str]:
    """What bash offers for the last of `words`."""
    script = write(program / "completion.bash", completion.script("bash"))
    quoted = " ".join(f"'{word}'" for word in words)
    code = f"""
        PATH={program}:$PATH; source {script}
        compopt() {{ echo "compopt $*"; }}
        COMP_WORDS=({quoted}); COMP_CWORD=$(({len(words)} - 1)); _pybuild
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", code], cwd=place, capture_output=True, text=True, timeout=20, check=True
    )
    assert done.stderr == ""
    return done.stdout.split()


@needs_bash
def test_bash_completes_commands_flags_and_values(program: Path, place: Path) -> None:
    assert complete(program, place, "pybuild", "b") == ["build"]
    assert complete(program, place, "pybuild", "build", "--pro") == ["--progress", "--provenance"]
    assert complete(program, place, "pybuild", "build", "--progress", "p") == ["plain"]
    assert complete(program, place, "pybuild", "build", "--progress", "=", "raw") == ["rawjson"]
    assert complete(program, place, "pybuild", "build", "--progress", "=") == [
        "auto", "tty", "plain", "quiet", "rawjson"
    ]  # fmt: skip
    assert complete(program, place, "pybuild", "build", "-t", "x") == []
    assert complete(program, place, "pybuild", "build", "") == ["compopt", "-o", "plusdirs"]
    assert complete(program, place, "pybuild", "fmt", "") == ["compopt", "-o", "default"]
    assert complete(program, place, "pybuild", "build", "-f", "x") == ["compopt", "-o", "default"]
    assert complete(program, place, "pybuild", "completion", "") == ["bash", "zsh", "fish"]
    assert complete(program, place, "pybuild", "graph", "--format", "") == ["json", "llb", "dot"]


@needs_bash
def test_bash_completes_stages(program: Path, place: Path) -> None:
    write(place / "Dockerfile", "FROM a AS base\nfrom base as Web-1\n  FROM x\nRUN echo FROM y AS z\n")
    write(place / "d" / "other", "FROM a AS there\n")
    assert complete(program, place, "pybuild", "build", "--target", "") == ["base", "Web-1"]
    assert complete(program, place, "pybuild", "build", "--target", "=", "b") == ["base"]
    assert complete(program, place, "pybuild", "build", "-f", "d/other", "--target", "") == ["there"]
    assert complete(program, place, "pybuild", "build", "--file=d/other", "--target", "t") == ["there"]
    assert complete(program, place, "pybuild", "build", "W") == ["compopt", "-o", "plusdirs", "Web-1"]
    write(
        place / "build.pybuild",
        "# syntax=pybuild:1\n\ntarget app:\ntest unit for x in y:\ngroup all = [app]\n",
    )
    assert complete(program, place, "pybuild", "lock", "--update", "") == [
        "compopt", "-o", "plusdirs", "app", "unit", "all"
    ]  # fmt: skip
    assert complete(program, place, "pybuild", "graph", "u") == ["compopt", "-o", "default", "unit"]


def test_stages_of_nothing(place: Path) -> None:
    assert completion.stages([]) == []
    assert completion.stages(["-f"]) == []
    assert completion.stages(["-f", "\0"]) == []


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_scripts_name_every_flag(shell: str, pybuild: Any) -> None:
    code, out, err = pybuild("completion", shell)
    assert (code, err) == (0, "")
    for command in completion.COMMANDS:
        assert command in out
        for flag in completion.command_flags(command):
            assert (f"-l {flag.long} " if shell == "fish" else f"--{flag.long}") in out


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_scripts_are_valid(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    path = write(tmp_path / "script", completion.script(shell))
    option = "-n" if shell != "fish" else "--no-execute"
    subprocess.run([shell, option, str(path)], timeout=20, check=True)


def test_no_completion_for_other_shells(pybuild: Any) -> None:
    code, _, err = pybuild("completion", "tcsh")
    assert (code, "choose one of bash, zsh, fish" in err) == (2, True)


@pytest.mark.parametrize("name", ["lsp", "debug"])
def test_commands_of_later_versions_are_refused_by_name(name: str, pybuild: Any) -> None:
    code, _, err = pybuild(name)
    assert code == 2
    assert f"pybuild {name} is not supported by this version" in err
