"""Builds that end before their time, and machines that lack something."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.building import said, steps_run
from tests.language.project import Project

pytestmark = [pytest.mark.root, pytest.mark.crun]

SLOW = """
target a:
    from BASE
    run echo quick
    with cache("/c", sharing="locked"):
        run:
            echo started
            [ -e /c/go ] || sleep 100
    write "x" to "/x"
    output "/x" to "out/x"
"""


def start(project: Project, log: Path) -> subprocess.Popen[bytes]:
    with open(log, "wb") as file:
        return subprocess.Popen(
            project.command("build", "--progress=plain", *project.allowed), cwd=project.directory,
            env=project.variables(), stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
        )  # fmt: skip


def until(what: object, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not what():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_build_that_is_ended(alone: Project, number: int) -> None:
    """Nothing is exported, no step outlives it, and the next build goes on from there."""
    alone.write(SLOW)
    log = alone.place / "log"
    process = start(alone, log)
    until(lambda: said(log, "started"))
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
    code = process.wait(30)
    assert code == (-9 if number == signal.SIGKILL else 128 + number)
    if number != signal.SIGKILL:
        assert "cancelled" in log.read_text()
        assert "Traceback" not in log.read_text()
    assert not (alone.directory / "out").exists()
    alone.write(SLOW.replace("sleep 100", "true"))
    done = alone.build()
    assert [name.partition(":")[0] for name in steps_run(done)] == ["run echo started ...", 'write to "/x"']
    assert alone.text("out/x") == "x"


def test_tests_that_are_ended(alone: Project) -> None:
    alone.write("test t:\n    from BASE\n    run echo started; sleep 100\n")
    log = alone.place / "log"
    with open(log, "wb") as file:
        process = subprocess.Popen(
            alone.command("test", "--progress=plain", *alone.allowed), cwd=alone.directory,
            env=alone.variables(), stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
        )  # fmt: skip
    until(lambda: said(log, "started"))
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert "Traceback" not in log.read_text()


@pytest.fixture
def small(project: Project) -> Iterator[Path]:
    """A file system of few bytes."""
    place = project.place / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "none", place], check=True)
    yield place
    subprocess.run(["umount", "-l", place], check=False)


def test_a_full_disk(project: Project, small: Path) -> None:
    """Said as it is; with room again, the build is done."""
    project.store = small / "store"
    text = """
target a:
    from BASE
    run dd if=/dev/zero of=/big bs=1M count=%d
    run echo done > /done
    output "/done" to "done"
"""
    project.write(text % 64)
    done = project.build(code=1)
    assert "space" in done.err
    assert not (project.directory / "done").exists()
    project.write(text % 1)
    project.build()
    assert project.text("done") == "done\n"


def test_an_output_on_a_full_disk(project: Project, small: Path) -> None:
    """What was there before is still there."""
    there = project.at(small / "project")
    there.write(
        """
target a:
    from BASE
    run dd if=/dev/zero of=/out bs=1M count=32 2>/dev/null
    output "/out" to "big", clean=true
""",
        {"big": "old"},
    )
    done = there.build(code=1)
    assert "space" in done.err
    assert there.text("big") == "old"
    assert there.names() == ["big", "build.pybuild"]


def test_a_project_that_cannot_be_written(project: Project, small: Path) -> None:
    """The lock file can't be kept, which is said; the build is done."""
    from tests.runtime.sources.remote.webserver import Web

    web = Web()
    web.files["/f"] = b"f"
    there = project.at(small / "project")
    there.write(
        f'target a:\n    from scratch\n    copy "f" from http("{web.url("/f")}") to "/f"\n    tag "ro:1"\n'
    )
    subprocess.run(["mount", "-o", "remount,ro", small], check=True)
    try:
        done = there.build()
        assert "pybuild.lock" in done.err
        assert "not pinned" in done.err
        assert "ro:1" in done.err
    finally:
        subprocess.run(["mount", "-o", "remount,rw", small], check=True)
        web.close()
    there.write('target a:\n    from scratch\n    write "x" to "/x"\n    output "/x" to "x"\n')
    subprocess.run(["mount", "-o", "remount,ro", small], check=True)
    try:
        done = there.build(code=1)
        assert "read-only file system" in done.err.lower()
    finally:
        subprocess.run(["mount", "-o", "remount,rw", small], check=True)


def test_a_machine_without_a_runtime(project: Project) -> None:
    """Said where a step has to run; files are copied without one."""
    project.write(
        """
target a:
    from scratch
    write "x" to "/x"
    output "/x" to "x"
target b:
    from BASE
    run echo this one is for the test of a missing runtime
"""
    )
    hide = "for p in crun runc; do for d in /usr/bin /usr/sbin /usr/local/bin /usr/local/sbin /bin /sbin; do \
        [ ! -e $d/$p ] || mount --bind /dev/null $d/$p; done; done"
    command = f'{hide}; for t in a b; do "$@" $t; echo code $?; done'
    words = ["unshare", "--mount", "sh", "-c", command, "sh", *project.command("build", *project.allowed)]
    done = subprocess.run(
        words, cwd=project.directory, env=project.variables(), capture_output=True, text=True, timeout=60,
        check=True,
    )  # fmt: skip
    assert done.stdout == "code 0\ncode 1\n", done.stderr
    assert project.text("x") == "x"
    assert "no OCI runtime found" in done.stderr
    assert "install it:" in done.stderr


def test_the_store_in_the_context(project: Project) -> None:
    """It is no part of the context, and that is said."""
    project.store = project.directory / ".store"
    project.write(
        """
target a:
    from BASE
    copy "." to "/copied"
    with bind(context, at="/bound"):
        run find /bound /copied -type f > /list
    output "/list" to "list"
""",
        {"file": "f"},
    )
    done = project.build()
    assert sorted(project.text("list").split()) == [
        f"/{place}/{name}" for place in ("bound", "copied") for name in ("build.pybuild", "file")
    ]
    assert "store" in done.err
    assert "left out" in done.err
    project.put({"file": "g"})
    project.settled()
    assert ".store" not in project.text("list")


def test_a_store_with_an_odd_name_in_the_context(project: Project) -> None:
    project.store = project.directory / "a [b]*! \\c" / "store"
    project.write('target a:\n    from scratch\n    copy "." to "/"\n', {"a [b]*! \\c/other": "f"})
    assert project.image().below("/") == ["a [b]*! \\c/other", "build.pybuild"]


def test_builds_at_once(alone: Project) -> None:
    """Two processes on one store and project, both right."""
    alone.write(SLOW.replace("sleep 100", "sleep 1"))
    processes = [start(alone, alone.place / f"log{number}") for number in range(3)]
    assert [one.wait(60) for one in processes] == [0, 0, 0]
    assert alone.text("out/x") == "x"


def test_a_lock_file_that_is_no_toml(project: Project) -> None:
    project.write("target a:\n    from BASE\n    run true\n", {"pybuild.lock": "version = = 1\n"})
    done = project.build(code=2)
    assert "pybuild.lock:1" in done.err


def test_a_context_file_that_cannot_be_had(project: Project) -> None:
    project.write('target a:\n    from scratch\n    copy "pipe" to "/"\n')
    os.mkfifo(project.directory / "pipe")
    image = project.image()
    assert image.files["/pipe"].kind == "other"
    shutil.rmtree(project.directory)
    done = project.run("build", cwd=project.place, code=2)
    assert "build.pybuild" in done.err
