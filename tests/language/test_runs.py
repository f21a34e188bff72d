"""What runs are given besides mounts: network, limits, hosts, privileges, environment; and how they end."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.e2e.building import steps_run
from tests.language.project import Project

pytestmark = [pytest.mark.root, pytest.mark.crun]


# Network, hosts, privileges


def test_the_network_of_a_run(project: Project) -> None:
    project.write(
        """
target a:
    from BASE
    with network("none"):
        run [ "$(ls /sys/class/net)" = lo ]
    with network("none"), network("sandbox"):
        run [ "$(ls /sys/class/net)" = lo ]
    with network("sandbox"):
        run ls /sys/class/net > /sandbox
        with network("none"):
            run ls /sys/class/net > /none
    output "/none" to "none"
"""
    )
    project.build()
    assert project.text("none") == "lo\n"


def test_the_host_network_has_to_be_allowed(project: Project) -> None:
    project.write(
        """
target a:
    from BASE
    with network("host"):
        run ls /sys/class/net > /net
    output "/net" to "net"
"""
    )
    done = project.build(code=1)
    assert "error[E0903]" in done.err
    assert "build.pybuild:6:9" in done.err
    assert "--allow network.host" in done.err
    project.build("--allow=network.host")
    assert "lo" in project.text("net").split()


def test_insecure_runs_have_to_be_allowed(project: Project) -> None:
    project.write(
        """
target a:
    from BASE
    with insecure():
        run grep CapEff /proc/self/status > /all; mkdir /m; mount -t tmpfs none /m
    run grep CapEff /proc/self/status > /some
    output "/all", "/some" to "./"
"""
    )
    done = project.build(code=1)
    assert "error[E0903]" in done.err
    assert "build.pybuild:6:9" in done.err
    assert "--allow security.insecure" in done.err
    project.build("--allow=security.insecure")
    assert project.text("all") != project.text("some")


def test_devices_have_to_be_allowed(project: Project) -> None:
    project.write(
        """
param optional: bool = true
target a:
    from BASE
    with device("example.org/nothing=here", optional=optional):
        run echo ran
"""
    )
    project.build("--allow=device")
    done = project.build("--allow=device", "-p", "optional=false", code=1)
    assert "example.org/nothing" in done.err
    assert "build.pybuild:" in done.err


def test_lines_of_the_hosts_file(project: Project) -> None:
    project.write(
        """
target a:
    from BASE
    with host("one.test", "192.0.2.1"), host("six.test", "2001:db8::6"):
        run grep -h test /etc/hosts > /out
    run ! grep test /etc/hosts
    output "/out" to "out"
"""
    )
    assert "/etc/hosts" not in project.image().files
    assert project.text("out").split() == ["192.0.2.1", "one.test", "2001:db8::6", "six.test"]


# Limits


@pytest.mark.parametrize(
    ("limit", "script", "named"),
    [
        ("memory=32MiB", "x=$(head -c 100000000 /dev/zero | tr '\\0' x); echo ${#x}", "32MiB of memory"),
        ("pids=5", "for i in 1 2 3 4 5 6 7 8; do sleep 0.2 & done; wait; echo all", "5 processes"),
    ],
)
def test_a_limit_that_is_reached(project: Project, limit: str, script: str, named: str) -> None:
    """The message names it, and nothing is cached: with a higher limit, which is in no key, the run succeeds."""
    text = """
target a:
    from BASE
    with limits(%s):
        run:
            %s
"""
    project.write(text % (limit, script))
    for _ in range(2):
        done = project.build(code=1)
        assert "error[R0001]" in done.err
        assert "build.pybuild:" in done.err
        assert named in done.err
    project.write(text % ("memory=2GiB, pids=100", script))
    assert len(steps_run(project.build())) == 1
    project.write(text % ("memory=1GiB, pids=90", script))
    assert steps_run(project.build()) == []


def test_the_processors_of_a_run(project: Project) -> None:
    project.write(
        """
target a:
    from BASE
    with limits(cpus=1):
        run cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null > /out || true
    output "/out" to "out"
"""
    )
    project.build()
    assert "100000" in project.text("out")


# Environment, user, directory, shell


def test_words_of_a_block_hold_for_its_runs_alone(project: Project) -> None:
    project.write(
        """
target a:
    from BASE
    env GREETING = "image", KEPT = "k"
    user "root"
    workdir "/image"
    with env(GREETING="block", ADDED="$KEPT-${{"$KEPT"}}"), user("user"), workdir("/home"):
        run:
            cat > /tmp/out <<END
            $GREETING $ADDED $(id -un) $PWD
            END
        copy "file" to "./"
        write "w" to "./written"
    run echo "$GREETING [$ADDED] $(id -un) $PWD" >> /tmp/out
    output "/tmp/out" to "out"
""",
        {"file": "f"},
    )
    image = project.image()
    assert project.text("out") == "block k-$KEPT user /home\nimage [] root /image\n"
    assert {"GREETING=image", "KEPT=k"} <= set(image.config["Env"])
    assert (image.config["User"], image.config["WorkingDir"]) == ("root", "/image")
    assert image.files["/image/file"].owner == (0, 0)
    assert "/image/written" in image.files


def test_options_reach_the_runs_of_called_steps(project: Project) -> None:
    """But not into targets and state functions."""
    project.write(
        """
default a
def step():
    run echo "step [$X]" >> /out
def other() -> state:
    from BASE
    run echo "other [$X]" > /other
target a:
    from BASE
    with env(X="x"):
        step()
        copy "/other" from other() to "/other"
    step()
    output "/out", "/other" to "./"
"""
    )
    project.build()
    assert project.text("out") == "step [x]\nstep []\n"
    assert project.text("other") == "other []\n"


def test_an_uncached_run_runs_always(project: Project) -> None:
    project.write(
        """
target a:
    from BASE
    run echo before
    with uncached():
        run cat /proc/sys/kernel/random/uuid > /out
    output "/out" to "out"
"""
    )
    project.settled()
    first = project.text("out")
    done = project.settled()
    assert steps_run(done) == ["run cat /proc/sys/kernel/random/uuid > /out"]
    assert project.text("out") != first


def test_shells(project: Project) -> None:
    """`/bin/sh -e` by default; another one by `shell`, also one that isn't sh-like."""
    project.write(
        """
target a:
    from BASE
    run:
        echo "$0 $-" > /out
        false || echo still >> /out
    shell ["/bin/sh", "-eu", "-c"]
    run echo "$-" >> /out
    shell ["/bin/awk"]
    run BEGIN { print "awk ran" > "/awk" }
    output "/out", "/awk" to "./"
"""
    )
    image = project.image()
    assert "e" in project.text("out").split()[1]
    assert project.text("out").split()[2] == "still"
    assert "u" in project.text("out").split()[3]
    assert project.text("awk") == "awk ran\n"
    assert image.config["Shell"] == ["/bin/awk"]


def test_bash_with_pipefail(project: Project) -> None:
    project.write(
        """
target a:
    from host(["bash", "sh", "cat", "true", "false"])
    shell ["/bin/bash", "-euo", "pipefail", "-c"]
    run:
        set -o > /out
        [[ a == a ]] && x=(1 2 3) && echo ${#x[@]} >> /out
    output "/out" to "out"
target b:
    from a
    run false | cat
"""
    )
    project.build("a")
    assert "pipefail       \ton" in project.text("out")
    assert project.text("out").endswith("3\n")
    assert "error[R0001]" in project.build("b", code=1).err


def test_a_failing_line_fails_the_run(project: Project) -> None:
    """`-e`: what comes after it doesn't run, and the error points at the run."""
    project.write(
        """
target a:
    from BASE
    run:
        echo one
        false
        echo two
"""
    )
    done = project.build(code=1)
    assert "error[R0001]: `run` failed with exit code 1" in done.err
    assert "in `a`" in done.err
    assert re.search(r"^#\d+ [\d.]+ one$", done.err, re.MULTILINE)
    assert not re.search(r"^#\d+ [\d.]+ two$", done.err, re.MULTILINE)


def test_scripts_for_an_interpreter(project: Project) -> None:
    project.write(
        r"""
param who: str = "world"
target a:
    from BASE
    run:
        #!/bin/awk -f
        BEGIN { printf "hello %s\n", "${{who}}" > "/out" }
    run:
        #!/bin/sh
        false
        echo "$1 after" >> /out
    exec ["sh", "-c", "echo \"$HOME\" >> /out"]
    exec ["touch", "/with space", "/$HOME"]
    output "/out" to "out"
"""
    )
    image = project.image()
    assert project.text("out") == "hello world\n after\n/root\n"
    assert {"/with space", "/$HOME"} <= image.files.keys()


def test_values_reach_programs_as_they_are(project: Project) -> None:
    project.write(
        r"""
param odd: str
target a:
    from BASE
    run:
        show() { for x; do printf '<%s>' "$x"; done; echo; }
        show ${{odd}} > /out
        show "x${{odd}}x" >> /out
        show 'x${{odd}}x' >> /out
        cat >> /out <<END
        ${{odd}}
        END
        cat >> /out <<'END'
        ${{odd}}
        END
        show $(printf %s ${{odd}}) >> /out
        show ${{["a", odd, ""]}} >> /out
    output "/out" to "out"
"""
    )
    odd = "a'b\"c $(touch /pwned) `x` \\ * ; & | > $HOME"
    image = project.image("-p", f"odd={odd}")
    assert "/pwned" not in image.files
    lines = project.text("out").split("\n")
    assert lines[:5] == [f"<{odd}>", f"<x{odd}x>", f"<x{odd}x>", odd, odd]
    assert lines[5].startswith("<a'b\"c>")
    assert lines[6] == f"<a><{odd}><>"


def test_a_run_that_fails_leaves_nothing(project: Project, tmp_path: Path) -> None:
    project.write(
        """
target a:
    from BASE
    run touch /x; exit 3
    output "/x" to "x"
    tag "never:1"
"""
    )
    done = project.build(code=1)
    assert "exit code 3" in done.err
    assert project.names() == ["build.pybuild"]
