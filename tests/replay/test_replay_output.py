"""What a replay and a rebuild print, and what they import."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time

import pytest
from tests.replay.project import Project, vertices

HEAVY = {
    *("attr", "attrs", "cattrs", "click", "rich", "urllib3", "sqlite3", "json", "re", "typing"),
    *("subprocess", "threading", "hashlib", "asyncio", "dataclasses", "pathlib", "tempfile", "shutil"),
    *("logging", "inspect", "enum", "importlib.metadata", "socket", "ctypes"),
}
FRONTEND = {
    *(
        "click",
        "rich",
        "urllib3",
        "cattrs",
        "asyncio",
        "pybuild.cli.commands",
        "pybuild.build.pipeline",
    ),
    *(
        "pybuild.frontends.dockerfile",
        "pybuild.request.config.schema",
        "pybuild.lang.dockerfile.parse",
        "pybuild.compiler.lower",
    ),
}
WARNED = "FROM scratch AS context\nCOPY single \\\n\n /s\n"


def test_a_replay_imports_next_to_nothing(project: Project) -> None:
    again = project.settled()
    bare = {name for name in again.modules if name.partition(".")[0] == "pybuild"}
    assert bare == {
        "pybuild", "pybuild.replay", "pybuild.replay.replay", "pybuild.replay.signatures",
        "pybuild.runtime", "pybuild.runtime.content", "pybuild.runtime.content.place",
    }  # fmt: skip
    assert not again.modules & HEAVY


def test_a_rebuild_imports_no_frontend(project: Project) -> None:
    project.words[:] = ["--progress=plain"]
    project.settled()
    project.write({"single": "edited"})
    found = project.build()
    assert found.path == "rebuild"
    assert not found.modules & FRONTEND


def test_plain(project: Project) -> None:
    project.words[:] = ["--progress=plain", "--tag=x"]
    project.write({"Dockerfile": WARNED + "COPY tree /\n"})
    replayed = project.settled()
    full = project.by_ordinary_path()
    assert vertices(replayed.err) == vertices(full.err)
    assert len(vertices(full.err)) == 3
    assert replayed.err.partition("warning")[2] == full.err.partition("warning")[2]
    assert replayed.out == full.out == ""


@pytest.mark.parametrize("words", [["-q"], ["--progress=quiet"], ["-q", "--tag=x"]])
def test_quiet(project: Project, words: list[str]) -> None:
    project.words[:] = words
    replayed = project.settled()
    full = project.by_ordinary_path()
    assert (replayed.out, replayed.err) == (full.out, full.err)
    assert re.fullmatch(r"sha256:[0-9a-f]{64}\n", replayed.out)


def test_warnings_are_said_once_each_time(project: Project) -> None:
    project.words[:] = ["--progress=plain"]
    project.write({"Dockerfile": WARNED})
    first = project.build()
    warnings = first.err.partition("found:\n")[2].splitlines()
    assert len([line for line in warnings if line.startswith(" - ")]) == len(set(warnings[:2])) == 2
    outcomes = [project.build()]
    for round in range(3):
        project.write({"single": str(round)})
        outcomes += [project.build(), project.build()]
    assert [one.path for one in outcomes] == ["replay"] + ["rebuild", "replay"] * 3
    for one in outcomes:
        assert one.err.count(" - ") == 2, one.err
        assert one.err.partition("found:\n")[2] == first.err.partition("found:\n")[2]


def test_a_terminal(project: Project) -> None:
    project.words[:] = ["--tag=x"]
    project.write({"Dockerfile": WARNED})
    time.sleep(0.1)
    first, second, third = (on_terminal(project) for _ in range(3))
    assert "Built in" in first
    assert "\x1b" not in second
    assert second == third
    assert first.endswith(second)
    assert second.count(" - ") == 2


def on_terminal(project: Project) -> str:
    """What a build writes to a terminal, standard error and output alike."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        project.command(*project.words),
        cwd=project.cwd,
        env={**project.environment(), "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    text = b""
    while select.select([ours], [], [], 30)[0]:
        try:
            data = os.read(ours, 1 << 16)
        except OSError:  # the last writer has gone
            break
        if not data:
            break
        text += data
    os.close(ours)
    assert process.wait(30) == 0
    return text.decode().replace("\r\n", "\n")


def test_a_reader_that_has_gone(project: Project) -> None:
    project.words[:] = ["-q"]
    project.settled()
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(project.command("-q"), cwd=project.cwd, env=project.environment(), stdout=theirs,
                          stderr=subprocess.PIPE, timeout=30, check=False)  # fmt: skip
    os.close(theirs)
    assert done.stderr == b""
    assert done.returncode == 1


def test_a_reader_of_messages_that_has_gone(project: Project) -> None:
    project.words[:] = ["--progress=plain"]
    project.settled()
    environment = {**project.environment(), "PYTHONUNBUFFERED": ""}
    for changed in (False, True):
        if changed:
            (project.context / "single").write_text("changed")
        ours, theirs = os.pipe()
        os.close(ours)
        done = subprocess.run(project.command("--progress=plain"), cwd=project.cwd, env=environment,
                              stderr=theirs, timeout=30, check=False)  # fmt: skip
        os.close(theirs)
        assert done.returncode == 0


def test_no_standard_streams(project: Project) -> None:
    project.words[:] = ["--progress=plain"]
    project.settled()
    command = ["sh", "-c", '"$0" "$@" >&- 2>&-', *project.command("--progress=plain")]
    done = subprocess.run(command, cwd=project.cwd, env=project.environment(), timeout=30, check=False)
    assert done.returncode == 0


def test_a_failing_rebuild_says_what_the_ordinary_path_says(project: Project) -> None:
    project.settled()
    (project.context / "single").unlink()
    found = project.judged()
    assert (found.path, found.code) == ("rebuild", 1)
    assert "single" in found.err
    assert not (project.place / "up" / "iid").exists()
    project.words[1] = "--iidfile=../nowhere/iid"
    assert project.build().code == 2


def test_a_result_file_that_can_no_longer_be_written(project: Project) -> None:
    project.words[1] = "--iidfile=../sub/iid"
    (project.place / "up" / "sub").mkdir()
    project.settled()
    (project.place / "up" / "sub" / "iid").unlink()
    (project.place / "up" / "sub").rmdir()
    found = project.judged()
    assert (found.path, found.code) == ("rebuild", 2)
