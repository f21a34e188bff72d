"""Commands about a directory that nobody trusts: none of them runs its Python, nor gives what it requests."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import write

from pybuild.cli.completion import stages

COMMANDS = ["build", "check", "graph", "list", "lock", "test", "convert"]


def module(place: Path) -> str:
    """A build module that leaves a file when it runs."""
    return f"""\
# syntax=python:1
import pybuild as pb
open({str(place / "ran")!r}, "w").close()

@pb.target(default=True)
def hello(t):
    t.from_(pb.scratch)

@pb.test
def tried(t):
    t.from_(hello)

both = pb.group("both", [hello])
"""


@pytest.fixture(autouse=True)
def untrusted(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (place / "it").mkdir()
    return place / "it"


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["build.py", "Dockerfile"])
def test_no_command_runs_python(place: Path, pybuild: Any, command: str, name: str) -> None:
    write(place / "it" / name, module(place))
    code, _, err = pybuild(*command.split(), "it")
    assert code == 2
    assert ("which would run on this machine" if name == "build.py" else "only a file called *.py") in err
    assert not (place / "ran").exists()


@pytest.mark.parametrize("command", COMMANDS[:-1])  # `convert` reads no pybuild.toml
def test_no_command_takes_a_module_that_the_project_names(place: Path, pybuild: Any, command: str) -> None:
    write(place / "it" / "mine.py", module(place))
    write(place / "it" / "pybuild.toml", 'file = "mine.py"\n')
    code, _, err = pybuild(*command.split(), "it")
    assert (code, "requests what only you can grant" in err) == (2, True)
    assert f"--file {place}/it/mine.py" in err
    assert not (place / "ran").exists()


def test_a_variable_of_the_build_makes_no_module_of_a_dockerfile(place: Path, pybuild: Any) -> None:
    write(place / "it" / "Dockerfile", module(place).partition("\n")[2])
    write(place / "it" / "pybuild.toml", '[build-args]\nBUILDKIT_SYNTAX = "python:1"\n')
    code, _, err = pybuild("check", "it")
    assert (code, "only a file called *.py" in err) == (2, True)
    assert not (place / "ran").exists()


@pytest.mark.parametrize(
    "words", ["it/build.py", "-f it/build.py it", "--allow python it", "trusted", "inside", "remembered"]
)
def test_consent(
    place: Path, tmp_path: Path, pybuild: Any, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    write(place / "it" / "build.py", module(place))
    if words == "trusted":
        write(tmp_path / "config/pybuild/config.toml", f'trust = ["{place}"]\n')
    elif words == "remembered":
        assert pybuild("trust", "it")[0] == 0
        assert not (place / "ran").exists()
    elif words == "inside":
        monkeypatch.chdir(place / "it")
    chosen = words if "it" in words.split("/")[0] else {"inside": "."}.get(words, "it")
    code, _, err = pybuild("list" if "--allow" not in words else "check", *chosen.split())
    assert code == 0, err
    assert (place / "ran").exists()


def test_formatting_and_completion_run_none(place: Path, pybuild: Any) -> None:
    path = write(place / "it" / "build.py", module(place))
    assert "is a Python module" in pybuild("fmt", "it")[2]
    assert stages(["it"]) == []
    assert not (place / "ran").exists()
    assert pybuild("list", str(path))[0] == 0
    (place / "ran").unlink()
    assert stages(["it"]) == ["both", "hello", "tried"]
    assert stages(["-f", "it/build.py"]) == ["both", "hello", "tried"]
    assert not (place / "ran").exists()


def test_standard_input_is_run_if_allowed(place: Path, pybuild: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for words, code in ((("check", "-"), 2), (("check", "--allow=python", "-"), 0)):
        stream = io.TextIOWrapper(io.BytesIO(module(place).encode()))
        monkeypatch.setattr("sys.stdin", stream)
        assert pybuild(*words)[0] == code
        assert (place / "ran").exists() == (code == 0)


@pytest.mark.parametrize("command", ["check", "graph", "list"])
def test_notices_without_a_display(
    place: Path, pybuild: Any, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    (place / ".git").mkdir()
    place.chmod(0o777)
    write(place / "it" / "build.pybuild", "# syntax=pybuild:1\n\ntarget x:\n    from scratch\n")
    code, _, err = pybuild(command, "it")
    assert code == 0
    assert err.count(f"note: {place}/.git doesn't count: its directory can be written by everyone") == 1


def test_what_the_command_line_gives_is_no_request(place: Path, recorder: Any, pybuild: Any) -> None:
    text = (
        'push = true\nallow = ["device"]\noutputs = ["/any"]\n[build-contexts]\na = "/etc"\nb = "host:sh"\n'
    )
    write(place / "pybuild.toml", text)
    flags = ["--push=false", "--allow=network.host", "-otype=none", "--build-context=a=docker-image://x"]
    code, _, err = pybuild("build", *flags)
    assert code == 0, err
    assert recorder.request.allow == ("network.host",)
    assert dict(recorder.request.build_contexts) == {"a": "docker-image://x", "b": "host:sh"}
    for left_out in flags:
        code, _, err = pybuild("build", *(flag for flag in flags if flag != left_out))
        assert (code, "requests what only you can grant" in err) == (2, True)


def test_modules_of_the_working_directory_are_not_the_programs(place: Path) -> None:
    for name in ("click", "attrs", "tomllib", "csv"):
        write(place / f"{name}.py", f"open({str(place / 'ran')!r}, 'w')\n")
    write(place / "Dockerfile", "FROM scratch\nCOPY a /\n")
    command = [sys.executable, "-m", "pybuild", "check"]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert (done.returncode, (place / "ran").exists()) == (0, False), done.stderr
