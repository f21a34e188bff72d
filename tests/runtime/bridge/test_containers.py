"""Containers of a frontend, as the service serves them: their messages one by one, and their ends."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from google.rpc import status_pb2
from tests.daemon.client.bridge import Gateway
from tests.daemon.client.containers import Container, mount
from tests.daemon.client.failure import Failure
from tests.runtime.bridge.asking import fails, made, root, sh
from tests.runtime.bridge.conftest import Host, StartHost
from tests.runtime.sandbox.stage import eventually
from tests.support.controlgroups import THROUGH_READ_ONLY

from pybuild.compiler.protos import errdefs_pb2, ops_pb2
from pybuild.compiler.protos import gateway_pb2 as pb
from pybuild.compiler.state import mkfile

pytestmark = [pytest.mark.root, pytest.mark.crun]

NONE, HOST_NETWORK = ops_pb2.NetMode.NONE, ops_pb2.NetMode.HOST


class Stream:
    """A call of ExecProcess. What comes is told in words."""

    def __init__(self, gateway: Gateway) -> None:
        self._sent: queue.Queue[pb.ExecMessage | None] = queue.Queue()
        self._answers = gateway.calls.stream("ExecProcess", self._requests(), pb.ExecMessage)
        self.status = status_pb2.Status()

    def _requests(self) -> Iterator[pb.ExecMessage]:
        while (message := self._sent.get()) is not None:
            yield message

    def send(self, id: str, **what: Any) -> None:
        self._sent.put(pb.ExecMessage(ProcessID=id, **what))

    def start(self, id: str, container: str, *args: str, fds: Sequence[int] = (1, 2), **fields: Any) -> None:
        meta = ops_pb2.Meta(args=args, env=["PATH=/bin"], cwd="/")
        self.send(id, Init=pb.InitMessage(ContainerID=container, Meta=meta, Fds=fds, **fields))

    def write(self, id: str, data: bytes = b"", *, fd: int = 0, end: bool = False) -> None:
        self.send(id, File=pb.FdMessage(Fd=fd, Data=data, EOF=end))

    def signal(self, id: str, name: str) -> None:
        self.send(id, Signal=pb.SignalMessage(Name=name))

    def end(self) -> None:
        """Say no more."""
        self._sent.put(None)

    def said(self, until: str = "") -> list[str]:
        """What comes up to some words, or the end. Raises Failure."""
        found = []
        for message in self._answers:
            found.append(self._told(message))
            if until and found[-1] == until:
                return found
        assert not until, found
        return found

    def _told(self, message: pb.ExecMessage) -> str:
        kind = message.WhichOneof("Input")
        more = ""
        if kind == "File":
            more = f" {message.File.Fd} {'end' if message.File.EOF else message.File.Data.decode()}"
        elif kind == "Exit":
            more = f" {message.Exit.Code}"
            self.status = message.Exit.Error
        return f"{message.ProcessID} {kind}{more}".rstrip()


@pytest.fixture
def container(gateway: Gateway) -> Iterator[Container]:
    found = gateway.container([mount(gateway.ref(root()))], Network=NONE)
    yield found
    try:
        found.release()
    except Failure:
        pass  # it was released, or processes of it failed


# Messages


def test_the_messages_of_a_process(gateway: Gateway, container: Container) -> None:
    stream = Stream(gateway)
    stream.start("one", container.id, "sh", "-c", "cat; echo aside >&2; exit 3", fds=(0, 1, 2, 5))
    stream.write("one", b"typed")
    stream.write("one", end=True)
    stream.end()
    said = stream.said()
    assert said[0] == "one Started"
    assert sorted(said[1:3]) == ["one File 1 typed", "one File 2 aside"]
    assert said[3:] == ["one Exit 3", "one File 1 end", "one File 2 end", "one File 5 end", "one Done"]
    assert (stream.status.code, stream.status.message) == (2, "exit code: 3")
    released = fails(container.release)
    assert (released.message, released.one(pb.ExitMessage).Code) == ("exit code: 3", 3)


def test_only_what_is_asked_for_is_heard(gateway: Gateway, container: Container) -> None:
    stream = Stream(gateway)
    stream.start("one", container.id, "sh", "-c", "echo out; echo err >&2", fds=(2,))
    assert stream.said("one Done")[1:-3] == ["one File 2 err"]
    stream.start("two", container.id, "true")
    assert stream.said("two Exit 255") == ["two Started", "two Exit 255"]
    assert stream.status.message == f"container {container.id} not found"


def test_processes_side_by_side(gateway: Gateway, container: Container) -> None:
    """In one call and in two: signals, ends and words are each one's own."""
    stream, other = Stream(gateway), Stream(gateway)
    stream.start("first", container.id, "sh", "-c", "trap 'exit 9' USR1; while true; do sleep 0.02; done")
    stream.said("first Started")
    stream.start("cat", container.id, "cat", fds=(0, 1))
    other.start("same", container.id, "sh", "-c", "read word; echo $word; kill -USR1 1", fds=(0, 1))
    stream.write("cat", b"x", end=True)
    assert stream.said("cat Done") == [
        "cat Started", "cat File 1 x", "cat Exit 0", "cat File 1 end", "cat Done",
    ]  # fmt: skip
    other.write("same", b"word\n")
    assert "same File 1 word" in other.said("same Done")
    assert "first Exit 9" in stream.said("first Done")


def test_signals_by_name(gateway: Gateway, container: Container) -> None:
    stream = Stream(gateway)
    script = "trap 'echo one' HUP; trap 'echo two; exit 5' TERM; echo up; while true; do sleep 0.02; done"
    stream.start("one", container.id, "sh", "-c", script)
    stream.said("one File 1 up")
    stream.signal("one", "HUP")
    stream.said("one File 1 one")
    stream.signal("one", "SIGTERM")
    assert stream.said("one Exit 5")[0] == "one File 1 two"
    stream.signal("one", "NONE")
    assert fails(stream.said).message == "Unknown signal NONE"


def test_a_killed_process(gateway: Gateway, container: Container) -> None:
    stream = Stream(gateway)
    stream.start("first", container.id, "sleep", "100")
    stream.said("first Started")
    stream.start("one", container.id, "sh", "-c", "trap '' TERM; echo up; sleep 100; true")
    stream.said("one File 1 up")
    stream.signal("one", "KILL")
    assert "one Exit 137" in stream.said("one Done")
    stream.signal("first", "KILL")
    assert "first Exit 137" in stream.said("first Done")
    assert stream.status.message == "exit code: 137"


def test_what_is_written_after_the_end_is_dropped(gateway: Gateway, container: Container) -> None:
    """The frontend may have sent it before it heard of the end."""
    stream = Stream(gateway)
    stream.start("first", container.id, "sleep", "100")
    stream.start("one", container.id, "true", fds=(0, 1))
    stream.said("one Exit 0")
    stream.write("one", b"late")
    stream.write("one", end=True)
    stream.start("two", container.id, "true")
    stream.said("two Done")


MISTAKES: dict[str, Callable[[Stream, str], None]] = {
    'NOT_FOUND: IO for process "none" not found': lambda stream, id: stream.write("none", b"x"),
    'NOT_FOUND: IO for process "other" not found': lambda stream, id: stream.signal("other", "TERM"),
    "INVALID_ARGUMENT: ProcessID required": lambda stream, id: stream.signal("", "TERM"),
    'NOT_FOUND: container "none" previously released or not created': lambda stream, id: stream.start(
        "two", "none", "true"
    ),
    "ALREADY_EXISTS: Process one already exists": lambda stream, id: stream.start("one", id, "true"),
    "OUT_OF_RANGE: fd 1 unavailable to write": lambda stream, id: stream.write("one", b"x", fd=1),
    "OUT_OF_RANGE: fd 0 unavailable to write": lambda stream, id: stream.write("one", b"more"),
}


@pytest.mark.parametrize("message", MISTAKES)
def test_mistakes_end_the_call(gateway: Gateway, container: Container, message: str) -> None:
    stream = Stream(gateway)
    stream.start("one", container.id, "sleep", "100", fds=(0, 1))
    stream.write("one", end=True)
    stream.said("one Started")
    MISTAKES[message](stream, container.id)
    assert str(fails(stream.said)) == message
    assert "context canceled" in fails(container.release).message


def test_containers_that_can_not_be(gateway: Gateway) -> None:
    ref = gateway.ref(root())

    def new(*mounts: ops_pb2.Mount, **fields: object) -> str:
        return fails(lambda: gateway.container(mounts, Network=NONE, **fields)).message

    missing = ops_pb2.SecretOpt(ID="none")
    assert new(mount("zzz")) == 'failed to find ref zzz for "/" mount: return reference zzz not found'
    assert new(mount("", mountType="TMPFS")) == "invalid mount type TMPFS for /"
    assert new(mount(ref), extraHosts=[ops_pb2.HostIP(Host="a", IP="x")]) == "failed to parse IP x"
    assert new(mount(ref), mount("", "/s", mountType="SECRET", secretOpt=missing)) == "secret none: not found"
    assert "the container has no root" in new()
    assert "exit code: 6" in new(mount(gateway.ref(sh("exit 6"))))
    same = pb.NewContainerRequest(ContainerID="same", Mounts=[mount(ref)], Network=NONE)
    gateway.calls.call("NewContainer", same, pb.NewContainerResponse)
    failed = fails(lambda: gateway.calls.call("NewContainer", same, pb.NewContainerResponse))
    assert (failed.code.name, failed.message) == ("ALREADY_EXISTS", "Container same already exists")
    release = pb.ReleaseContainerRequest(ContainerID="same")
    gateway.calls.call("ReleaseContainer", release, pb.ReleaseContainerResponse)
    failed = fails(lambda: gateway.calls.call("ReleaseContainer", release, pb.ReleaseContainerResponse))
    assert failed.message == "container details for same not found"


def test_what_was_not_granted(gateway: Gateway) -> None:
    with gateway.container([mount(gateway.ref(root()))], Network=HOST_NETWORK) as container:
        ended = container.run("true")
        assert ended.error is not None
        assert "network.host is not allowed" in ended.error.message
    with gateway.container([mount(gateway.ref(root()))], Network=NONE) as container:
        ended = container.run("true", security=ops_pb2.SecurityMode.INSECURE)
        assert ended.error is not None
        assert "security.insecure is not allowed" in ended.error.message


def test_where_nothing_filters_devices(start_host: StartHost) -> None:
    """Neither the first process of a container nor another one may make a device node, and none is insecure."""
    host = start_host("security.insecure", THROUGH_READ_ONLY)
    mknod = ("mknod", "/node", "c", "1", "3")
    with host.gateway.container([mount(host.gateway.ref(root()))], Network=NONE) as container:
        first = container.start("sh", "-c", "mknod /node c 1 3; echo tried; sleep 9")
        first.await_output(b"tried")
        assert b"Operation not permitted" in container.run(*mknod).err
        refused = container.run("true", security=ops_pb2.SecurityMode.INSECURE)
        assert refused.error is not None
        assert "security.insecure is refused here" in refused.error.message
        first.signal("KILL")
        assert b"Operation not permitted" in first.wait().err
    assert host.end()["notices"] == [
        "steps can't make or open device nodes, as nothing else filters devices: "
        "the control groups are mounted read-only"
    ]


def test_secrets_of_a_process(gateway: Gateway, container: Container) -> None:
    missing = [ops_pb2.SecretEnv(ID="none", name="A")]
    assert "secret none: not found" in fails(lambda: container.run("true", secrets=missing)).message
    given = [ops_pb2.SecretEnv(ID="word", name="A"), ops_pb2.SecretEnv(ID="none", name="B", optional=True)]
    assert container.run("sh", "-c", "echo $A$B", secrets=given).out == b"hunter2\n"


# Files


def test_files_of_mounts(gateway: Gateway) -> None:
    """Each mount is read apart, as it is at the moment."""
    mounts = [
        mount(gateway.ref(root())),
        mount(gateway.ref(made("/a")), "/data"),
        mount(gateway.ref(made("/a")), "/read", readonly=True),
        mount("", "/memory", mountType="TMPFS"),
        mount("", "/kept", mountType="CACHE", cacheOpt=ops_pb2.CacheOpt(ID="kept")),
    ]
    with gateway.container(mounts, Network=NONE) as container:
        container.run("sh", "-c", "echo b > /data/b; echo k > /kept/k; echo r > /root/r; rm /bin/wc")
        assert container.read_file("/b", mount=1) == b"b\n"
        assert [one.path for one in container.read_dir("/", mount=1)] == ["a", "b"]
        assert [one.path for one in container.read_dir("/", mount=2)] == ["a"]
        assert container.read_file("/k", mount=4) == b"k\n"
        assert container.read_file("/root/r") == b"r\n"
        assert "/bin/wc: no such file" in fails(lambda: container.read_file("/bin/wc")).message
        assert "/data/b: no such file" in fails(lambda: container.stat("/data/b")).message
        assert (
            "mount index 5 is out of bounds (5 available)"
            in fails(lambda: container.stat("/", mount=5)).message
        )
        assert "mountable 3 not found" in fails(lambda: container.stat("/", mount=3)).message
        assert "can't make b relative to /" in fails(lambda: container.read_file("b", mount=1)).message
    message = fails(lambda: container.read_file("/b")).message
    assert message == f"container details for {container.id}@0 not found"


def test_a_container_where_a_file_op_failed(gateway: Gateway) -> None:
    state = made("/a").file(mkfile("/b", b"b").rm("/none"))
    left = fails(lambda: gateway.ref(state, evaluate=True)).one(errdefs_pb2.Solve)
    mounts = [
        mount(gateway.ref(root())),
        mount(left.mountIDs[left.file.index], "/left"),
        mount(left.inputIDs[0], "/in"),
    ]
    with gateway.container(mounts, Network=NONE) as container:
        assert container.run("ls", "/left", "/in").out == b"/in:\na\n\n/left:\na\nb\n"


# The end


def test_a_flood_that_nobody_reads_ends_with_the_container(host: Host, container: Container) -> None:
    word = f"y{time.time_ns()}"
    stream = Stream(host.gateway)
    stream.start("one", container.id, "yes", word)
    stream.said("one Started")
    time.sleep(0.3)
    began = time.monotonic()
    assert "context canceled" in fails(container.release).message
    assert time.monotonic() - began < 3
    assert not host.running(word)


def test_a_flood_that_nobody_asked_for(gateway: Gateway, container: Container) -> None:
    """A process that doesn't read keeps the frontend from nothing but writing to it."""
    stream = Stream(gateway)
    stream.start("one", container.id, "sleep", "100", fds=(0,))
    stream.said("one Started")
    for _ in range(30):
        stream.write("one", bytes(1 << 16))
    stream.signal("one", "KILL")
    assert stream.said("one Done") == ["one Exit 137", "one Done"]


@pytest.mark.parametrize("how", ["hang up", "end", "kill"])
def test_nothing_is_left_running(start_host: StartHost, how: str) -> None:
    """When the frontend goes away, when the build ends, and when the builder is killed."""
    host = start_host()
    word = f"1000.{time.time_ns()}"
    container = host.gateway.container([mount(host.gateway.ref(root()))], Network=NONE)
    stream = Stream(host.gateway)
    stream.start("one", container.id, "sh", "-c", f"trap '' TERM HUP INT; sleep {word}; sleep {word}")
    stream.start(
        "two", container.id, "sh", "-c", f"trap '' TERM HUP INT; sleep {word}; sleep {word}", Tty=True
    )
    stream.said("two Started")
    assert eventually(lambda: len(host.running(word)) >= 4, 5)
    if how == "hang up":
        host.hang_up()
        assert eventually(lambda: not host.running(word), 5)
        assert host.end()["threads"] == []
    elif how == "end":
        assert host.end()["threads"] == []
        assert not host.running(word)
    else:
        host.process.kill()
        assert eventually(lambda: not host.running(word), 5)
