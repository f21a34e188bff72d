"""Containers of a frontend: processes, their streams and ends, and the files of mounts."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

import pytest
from tests.daemon.client.bridge import Gateway
from tests.daemon.client.containers import Container, mount
from tests.daemon.client.failure import Failure
from tests.daemon.client.offers import Secrets
from tests.daemon.client.solving import ask
from tests.daemon.wire.observing import RUNS, sh
from tests.support.daemons import RUN, Peer

from pybuild.compiler.protos import ops_pb2
from pybuild.compiler.state import State, mkdir, mkfile

pytestmark = [pytest.mark.root, pytest.mark.crun, pytest.mark.registry]

HOST = ops_pb2.NetMode.HOST
Work = Callable[[Gateway, Container], object]


def within(peer: Peer, state: State, work: Work, *offers: object, **fields: object) -> None:
    """Do something in a container whose root is a state."""

    def question(gateway: Gateway) -> None:
        ref = gateway.ref(state)
        with gateway.container([mount(ref)], Network=HOST, **fields) as container:
            work(gateway, container)

    ask(peer.daemon, question, *offers, entitlements=RUNS)  # type: ignore[arg-type]


def test_a_process(peer: Peer, base: State) -> None:
    def work(_: Gateway, container: Container) -> None:
        ended = container.run("sh", "-c", "echo out; echo err >&2; exit 0")
        assert (ended.code, ended.out, ended.err) == (0, b"out\n", b"err\n")

    within(peer, base, work)


def test_what_a_process_is_started_with(peer: Peer, base: State) -> None:
    def work(_: Gateway, container: Container) -> None:
        script = 'echo "$A $(pwd) $(id -u) $(hostname) $#"; grep -w one /etc/hosts'
        ended = container.run(
            "sh", "-c", script, "", "x y",
            env=("PATH=/bin", "A=b c"), cwd="/var/data", user="user",
        )  # fmt: skip
        assert ended.out.split() == b"b c /var/data 1000 box 1 10.0.0.1 one".split()

    within(peer, base, work, hostname="box", extraHosts=[ops_pb2.HostIP(Host="one", IP="10.0.0.1")])


def test_an_exit_code(peer: Peer, base: State) -> None:
    def work(_: Gateway, container: Container) -> None:
        ended = container.run("sh", "-c", "exit 99")
        assert ended.code == 99
        assert ended.error is not None
        assert "exit code: 99" in ended.error.message

    within(peer, base, work)


def test_input(peer: Peer, base: State) -> None:
    def work(_: Gateway, container: Container) -> None:
        big = b"0123456789abcdef" * 20_000
        ended = container.run("cat", stdin=big)
        assert ended.out == big

    within(peer, base, work)


def test_processes_of_one_container(peer: Peer, base: State) -> None:
    def work(_: Gateway, container: Container) -> None:
        first = container.start("sleep", "60")
        assert first.started.wait(10)
        assert container.run("sh", "-c", "echo hi >/tmp/shared").code == 0
        ended = container.run("sh", "-c", "cat /tmp/shared; exit 4")
        assert (ended.out, ended.code) == (b"hi\n", 4)
        first.signal("KILL")
        assert first.wait().code == 137

    within(peer, base, work)


def test_signals(peer: Peer, base: State) -> None:
    def work(_: Gateway, container: Container) -> None:
        script = 'trap "echo terminated; exit 7" TERM; echo ready; while :; do sleep 0.05; done'
        process = container.start("sh", "-c", script)
        process.await_output(b"ready\n")
        process.signal("TERM")
        ended = process.wait()
        assert (ended.code, ended.out) == (7, b"ready\nterminated\n")

    within(peer, base, work)


def test_a_terminal(peer: Peer, base: State) -> None:
    def work(_: Gateway, container: Container) -> None:
        process = container.start("sh", tty=True, stdin=True, env=("PATH=/bin", "PS1=$ "))
        process.resize(31, 97)
        process.await_output(b"$ ")
        process.write(b"test -t 0 && echo is a $((1+1))-terminal\n")
        process.await_output(b"is a 2-terminal")
        process.write(b"stty size; exit 3\n")
        process.await_output(b"31 97")
        process.end_input()
        ended = process.wait()
        assert b"31 97" in ended.out
        assert ended.code == 3

    within(peer, base, work)


def test_mounts(peer: Peer, base: State) -> None:
    data = State.scratch().file(mkdir("/d").mkfile("/d/x", b"x\n"))

    def question(g: Gateway) -> None:
        ref = g.ref(data)
        mounts = [
            mount(g.ref(base)),
            mount(ref, "/read", readonly=True),
            mount(ref, "/write"),
            mount(ref, "/part", selector="d"),
            mount("", "/memory", mountType="TMPFS"),
            mount("", "/kept", mountType="CACHE", cacheOpt=ops_pb2.CacheOpt(ID=f"container-{RUN}")),
            mount("", "/secret", mountType="SECRET", secretOpt=ops_pb2.SecretOpt(ID="s", mode=0o400)),
        ]
        with g.container(mounts, Network=HOST) as container:
            script = """
                cat /read/d/x /part/x /secret
                touch /read/new 2>/dev/null || echo refused
                echo w >/write/w; echo m >/memory/m; echo k >/kept/k; cat /write/w /memory/m /kept/k
            """
            assert container.run("sh", "-c", script).out == b"x\nx\nhiddenrefused\nw\nm\nk\n"
        with g.container(mounts, Network=HOST) as container:
            ended = container.run("sh", "-c", "ls /write /memory; cat /kept/k")
            assert ended.out.split() == b"/memory: /write: d k".split() or ended.out.endswith(b"d\nk\n")

    ask(peer.daemon, question, Secrets({"s": b"hidden"}).offer(), entitlements=RUNS)


def test_secrets_in_the_environment(peer: Peer, base: State) -> None:
    def work(_: Gateway, container: Container) -> None:
        ended = container.run("sh", "-c", 'echo "$T"', secrets=[ops_pb2.SecretEnv(ID="s", name="T")])
        assert ended.out == b"hidden\n"

    within(peer, base, work, Secrets({"s": b"hidden"}).offer())


def test_files_of_a_container(ours: Peer, base: State) -> None:
    data = State.scratch().file(mkfile("/x.txt", b"0123").mkfile("/y", b""))

    def question(g: Gateway) -> None:
        with g.container([mount(g.ref(base)), mount(g.ref(data), "/data")], Network=HOST) as container:
            container.run("sh", "-c", "echo new >/data/new; echo root >/r")
            assert container.read_file("/new", mount=1) == b"new\n"
            assert container.read_file("/r") == b"root\n"
            assert [one.path for one in container.read_dir("/", "*.txt", mount=1)] == ["x.txt"]
            assert container.stat("/x.txt", mount=1).size == 4
            with pytest.raises(Failure, match="no such file or directory"):
                container.read_file("/data/new")

    ask(ours.daemon, question, entitlements=RUNS)


def test_a_container_is_released_with_its_processes(peer: Peer, base: State) -> None:
    word = f"{time.time():.6f}".replace(".", "")

    def work(_: Gateway, container: Container) -> None:
        process = container.start("sh", "-c", f"trap '' TERM INT; sleep 1000.{word}; sleep 1000.{word}")
        assert process.started.wait(10)
        began = time.monotonic()
        try:
            container.release()
        except Failure:
            pass  # the process was killed
        assert time.monotonic() - began < 15
        try:
            assert process.wait().code != 0
        except Failure:
            pass  # its call was ended

    within(peer, base, work)


def test_hanging_up_ends_the_process(peer: Peer, base: State) -> None:
    def work(_: Gateway, container: Container) -> None:
        process = container.start("sleep", "1000")
        assert process.started.wait(10)
        process.hang_up()
        try:
            container.release()
        except Failure:
            pass

    within(peer, base, work)


def test_a_program_that_is_not_there(peer: Peer, base: State) -> None:
    def work(_: Gateway, container: Container) -> None:
        ended = container.run("/no/such/program")
        assert ended.code != 0
        assert ended.error is not None

    within(peer, base, work)


def test_mistakes(ours: Peer, base: State) -> None:
    def question(g: Gateway) -> None:
        ref = g.ref(base)
        with g.container([mount(ref)], Network=HOST) as container:
            container.release()
            with pytest.raises(Failure):
                container.run("true")
        with pytest.raises(Failure):
            g.container([mount(uuid.uuid4().hex)], Network=HOST)
        with pytest.raises(Failure):
            g.container([], Network=HOST)

    ask(ours.daemon, question, entitlements=RUNS)


def test_the_state_of_a_failed_step(peer: Peer, base: State) -> None:
    """A client may look around where a step failed."""
    from pybuild.compiler.protos import errdefs_pb2

    def question(g: Gateway) -> None:
        with pytest.raises(Failure) as failed:
            g.ref(sh(base, "echo left >/var/data/left; exit 5"), evaluate=True)
        solve = failed.value.one(errdefs_pb2.Solve)
        root = solve.op.exec.mounts[0]
        with g.container([mount(solve.mountIDs[0], root.dest)], Network=HOST) as container:
            assert container.run("cat", "/var/data/left").out == b"left\n"
        with g.container([mount(solve.inputIDs[0], root.dest)], Network=HOST) as container:
            assert container.run("ls", "/var/data/left").code != 0

    ask(peer.daemon, question, entitlements=RUNS)
