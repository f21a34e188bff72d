"""How steps end when they don't end by themselves: cancellation, the death of the builder, orphans."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from tests.runtime.sandbox.stage import (
    Box,
    Stage,
    eventually,
    groups,
    in_child,
    killed_builder_leaves_nothing,
    make_root,
    mounts_below,
    processes,
    word_of,
)

from pybuild.compiler.ops import NetMode
from pybuild.lang.diagnostics import Cancelled
from pybuild.runtime.sandbox import libc, namespaces
from pybuild.runtime.sandbox.cgroups import Cgroups
from pybuild.runtime.sandbox.errors import SandboxError
from pybuild.runtime.sandbox.runner import Runner
from pybuild.runtime.solver.types import Cancellation

pytestmark = [pytest.mark.root, pytest.mark.crun]


def cancel_after(seconds: float, cancellation: Cancellation) -> None:
    threading.Timer(seconds, cancellation.cancel).start()


@pytest.mark.parametrize("delay", [0.3, 0.0, 0.004, 0.012])
def test_cancellation_kills_the_whole_tree_at_once(any_box: Box, delay: float) -> None:
    """At any moment, the container's making included."""
    word = word_of(any_box)
    script = f"(setsid sleep {word} &) ; trap '' TERM INT; sleep {word} & sleep {word}"

    def cancelled(stage: Stage) -> tuple[float, list[int], list[str], list[str]]:
        cancellation = Cancellation()
        moment: list[float] = []
        cancellation.on_cancel(lambda: moment.append(time.monotonic()))
        cancel_after(delay, cancellation)
        with pytest.raises(Cancelled):
            stage.sh(script, cancellation=cancellation)
        took = time.monotonic() - moment[0]
        states = [
            name for name in os.listdir(stage.sandbox.directory + "/state") if name.startswith(stage.box.name)
        ]
        return took, processes(word), states, groups(stage.box.name + "/" + stage.box.name)

    took, left, states, left_groups = any_box.inside(cancelled)
    assert took < 5
    assert (left, states, left_groups) == ([], [], [])


def test_a_step_is_not_started_once_cancelled(box: Box) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        box.inside(lambda stage: stage.sh("touch /tmp/ran", cancellation=cancellation))
    assert not (box.rootfs / "tmp" / "ran").exists()


def test_cancelling_one_step_leaves_the_others(box: Box) -> None:
    other = make_root(box.directory / "other")

    def two(stage: Stage) -> str:
        cancellation = Cancellation()
        cancel_after(0.2, cancellation)
        results: list[str] = []
        survivor = threading.Thread(
            target=lambda: results.append(stage.sh("sleep 0.6; echo survived", rootfs=os.fsencode(other)).out)
        )
        survivor.start()
        with pytest.raises(Cancelled):
            stage.sh("sleep 100", cancellation=cancellation)
        survivor.join()
        return results[0]

    assert box.inside(two) == "survived\n"


@pytest.mark.parametrize("network", [NetMode.NONE, NetMode.UNSET])
def test_kill_9_of_the_builder_leaves_nothing(any_box: Box, network: NetMode) -> None:
    killed_builder_leaves_nothing(any_box, network)


def test_the_death_of_the_runner_is_an_error_and_the_end_of_all_steps(box: Box) -> None:
    word = word_of(box)

    def lose(stage: Stage) -> None:
        def kill() -> None:
            eventually(lambda: processes(word), 5)
            os.kill(stage.runner._pid, signal.SIGKILL)

        threading.Thread(target=kill).start()
        stage.run("sleep", word)

    with pytest.raises(SandboxError, match="ended unexpectedly"):
        box.inside(lose)
    assert eventually(lambda: not processes(word))


def test_a_later_build_sweeps_the_groups_of_a_dead_one(box: Box) -> None:
    def die(stage: Stage) -> None:
        """The runner first, which would else remove the groups when it sees its builder dead."""
        stage.run("true")
        os.kill(stage.runner._pid, signal.SIGKILL)
        os.waitpid(stage.runner._pid, 0)
        os.kill(os.getpid(), signal.SIGKILL)

    def sweep(stage: Stage) -> list[str]:
        stage.sandbox.sweep([box.name, "unknown"])
        return groups(box.name)

    with pytest.raises(AssertionError, match="status 9"):
        box.inside(die)
    assert groups(box.name)
    later = Box(box.directory / "later", box.runtime)
    assert later.inside(sweep) == []


def test_background_processes_end_with_the_step(any_box: Box) -> None:
    word = word_of(any_box)

    def orphan(stage: Stage) -> tuple[float, list[int]]:
        before = time.monotonic()
        stage.sh(f"(sleep {word} >/dev/null 2>&1 &); sleep {word} & exit 0")
        return time.monotonic() - before, processes(word)

    took, left = any_box.inside(orphan)
    assert left == []
    assert took < 5


def test_orphans_of_a_long_step_are_reaped(box: Box) -> None:
    """The shell, being process 1, reaps what it never started."""
    script = (
        "for i in 1 2 3 4 5; do sh -c '(sleep 0.05 &) ; exit 0'; done; sleep 0.5; "
        "cat /proc/[0-9]*/stat | grep -c ' Z ' ; true"
    )
    assert box.inside(lambda stage: stage.sh(script)).out.strip() == "0"


def test_orphans_outside_a_step_are_reaped_by_the_init(box: Box) -> None:
    def zombies(stage: Stage) -> int:
        null = os.open(os.devnull, os.O_RDWR)
        command = ["/bin/sh", "-c", "for i in 1 2 3 4; do (sh -c 'exit 0' & exec true) & done; wait"]
        with stage.runner.spawn(
            command, env={"PATH": os.defpath}, stdin=null, stdout=null, stderr=null
        ) as child:
            child.wait()
        time.sleep(0.2)
        command = ["/bin/sh", "-c", "grep -ls '^State:.Z' /proc/[0-9]*/status; exit 0"]
        read, write = os.pipe()
        with stage.runner.spawn(
            command, env={"PATH": os.defpath}, stdin=null, stdout=write, stderr=null
        ) as child:
            child.wait()
        os.close(write)
        with open(read, "rb") as pipe:
            return len(pipe.read().split())

    assert box.inside(zombies) == 0


def test_no_descriptor_leaks_into_the_runner_or_a_step(box: Box) -> None:
    """A flock held by an inherited descriptor would outlive its owner."""

    def listed(stage: Stage) -> tuple[int, str]:
        runner = len(os.listdir(f"/proc/{stage.runner._pid}/fd"))
        return runner, stage.sh("ls /proc/self/fd").out

    leak = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(leak, True)
    try:
        runner, step = box.inside(listed)
    finally:
        os.close(leak)
    assert runner <= 7  # three standard ones, the socket, /proc, the wake-up pipe
    assert step.split() == ["0", "1", "2", "3"]


@pytest.mark.growth
def test_spawning_costs_little_over_plain_fork_and_exec(box: Box) -> None:
    def measure(stage: Stage) -> tuple[float, float]:
        null = os.open(os.devnull, os.O_RDWR)

        def spawned() -> float:
            begin = time.perf_counter()
            with stage.runner.spawn(["/bin/true"], env={}, stdin=null, stdout=null, stderr=null) as child:
                assert child.wait() == 0
            return time.perf_counter() - begin

        def forked() -> float:
            begin = time.perf_counter()
            os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
            return time.perf_counter() - begin

        return sorted(spawned() for _ in range(40))[10], sorted(forked() for _ in range(40))[10]

    spawned, forked = box.inside(measure)
    assert spawned - forked < 0.002


def test_runner_reports_what_exec_reports(box: Box) -> None:
    def errors(stage: Stage) -> list[str]:
        null = os.open(os.devnull, os.O_RDWR)
        found = []
        for program in ("/no/such", "/etc/passwd"):
            try:
                stage.runner.spawn([program], env={}, stdin=null, stdout=null, stderr=null)
            except OSError as error:
                found.append(type(error).__name__)
        with stage.runner.spawn(["/bin/sleep", "50"], env={}, stdin=null, stdout=null, stderr=null) as child:
            assert child.wait(0.05) is None
            child.kill()
            found.append(str(child.wait()))
            child.kill()
        return found

    assert box.inside(errors) == ["FileNotFoundError", "PermissionError", "-9"]


def test_threads_forbid_entering_and_starting() -> None:
    def refused() -> list[str]:
        stop = threading.Event()
        thread = threading.Thread(target=stop.wait)
        thread.start()
        found = []
        for call in (lambda: namespaces.enter("/"), Runner.start):
            try:
                call()
            except RuntimeError as error:
                found.append(str(error))
        stop.set()
        thread.join()
        return found

    assert len(in_child(refused)) == 2


def test_hidden_hierarchy_and_host_mounts_stay_as_they_were(box: Box) -> None:
    """What the build mounts is seen by its steps' runtime and not by the host."""

    def mounted(stage: Stage) -> tuple[str, bool]:
        place = box.directory / "later"
        place.mkdir()
        libc.mount("tmpfs", str(place), "tmpfs", 0, "size=4096")
        (place / "mark").touch()
        null = os.open(os.devnull, os.O_RDWR)
        command = ["/bin/ls", str(place / "mark")]
        with stage.runner.spawn(command, env={}, stdin=null, stdout=null, stderr=null) as child:
            code = child.wait()
        libc.umount(str(place))
        with stage.runner.spawn(command, env={}, stdin=null, stdout=null, stderr=null) as child:
            after = child.wait()
        return str(code), bool(after)

    assert box.inside(mounted) == ("0", True)
    assert mounts_below(box.directory) == []


def test_groups_are_found_where_they_are_mounted(tmp_path: Path) -> None:
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text(f"1 0 0:1 / {tmp_path} rw - cgroup cgroup rw,memory\n")
    (tmp_path / "pybuild-a" / "a-1").mkdir(parents=True)
    (tmp_path / "pybuild-b").mkdir()
    found = Cgroups.detect(rootless=False, mountinfo=str(mountinfo))
    assert found.leftovers(["a", "c"]) == ["/pybuild-a"]
    found.remove("/pybuild-a")
    assert os.listdir(tmp_path) != []
    assert not (tmp_path / "pybuild-a").exists()
