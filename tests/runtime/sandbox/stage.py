"""A small root file system made of busybox, and children of the test process that run steps in it.

Namespaces are entered by a process for good, so every test that runs steps does so in a forked child
(`Box.inside`), whose result or exception comes back.
"""

from __future__ import annotations

import codecs
import os
import pickle
import pwd
import shutil
import signal
import subprocess
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pybuild.compiler.ops import Meta, NetMode
from pybuild.runtime.sandbox import (
    devicefilter,
    executor,
    namespaces,
    network,
    runner,
    runner_process,
    step,
    subids,
)
from pybuild.runtime.sandbox.users import Identity
from pybuild.runtime.solver.types import Cancellation

APPLETS = """
cat chmod chown chroot cut dd df echo env false grep head hostname id ip kill ln ls mkdir mknod mount nc netstat
nslookup ps pwd readlink rm seq setsid sh sleep sort stat stty sync tail test touch tr true tty umount unshare wc yes
"""
PASSWD = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:App:/home/app:/bin/sh\n"
GROUP = "root:x:0:\napp:x:1001:\nwheel:x:10:root,app\naudio:x:63:app\nother:x:70:\n"
USER = "pybuild-test"
LIFE = 30
"""Seconds after which a child that hangs is killed, and its steps with it."""

# What is imported lazily must be there before a child becomes a user who can't read the interpreter's files.
LOADED = (subids, runner_process, pwd, subprocess, codecs.lookup("ascii"))


class Result:
    def __init__(self, code: int, out: bytes, err: bytes, out_of_memory: bool) -> None:
        self.code = code
        self.out = out.decode("utf-8", "replace")
        self.err = err.decode("utf-8", "replace")
        self.out_of_memory = out_of_memory


class Stage:
    """A child's build: a runner, a network pool and a sandbox."""

    def __init__(
        self, box: Box, runtime: str, isolate: bool = False, before: Callable[[], None] = lambda: None
    ) -> None:
        self.box = box
        work = box.directory / "store" / "work" / box.name
        work.mkdir(parents=True, exist_ok=True)
        namespaces.enter(str(box.directory))
        before()
        self.runner = runner.Runner.start()
        self.unfiltered = devicefilter.missing(box.name)
        self.notices: list[str] = []
        self.networks = network.NetworkPool(
            self.runner, str(work), notice=self.notices.append, isolate=isolate
        )
        self.sandbox = executor.Sandbox(
            str(work), self.runner, self.networks, runtime, unfiltered=bool(self.unfiltered)
        )

    def step(self, *args: str, **options: Any) -> step.Step:
        meta = {name: options.pop(name) for name in list(options) if hasattr(Meta(), name)}
        options.setdefault("network", NetMode.NONE)
        identity = options.pop("identity", Identity(home="/root"))
        rootfs = options.pop("rootfs", os.fsencode(self.box.rootfs))
        return step.Step(rootfs, Meta(args=args, **meta), identity, **options)

    def run(self, *args: str, cancellation: Cancellation | None = None, **options: Any) -> Result:
        streams: dict[int, list[bytes]] = {1: [], 2: []}
        code = self.sandbox.run(
            self.step(*args, **options),
            on_output=lambda stream, data: streams[stream].append(data),
            cancellation=cancellation or Cancellation(),
        )
        return Result(int(code), b"".join(streams[1]), b"".join(streams[2]), code.out_of_memory)

    def sh(self, script: str, **options: Any) -> Result:
        return self.run("sh", "-c", script, **options)

    def close(self) -> None:
        self.sandbox.close()
        self.networks.close()
        self.runner.close()


class Box:
    def __init__(self, directory: Path, runtime: str) -> None:
        self.directory = directory
        self.runtime = runtime
        self.name = os.urandom(4).hex()
        self.uid = 0
        self.rootfs = make_root(directory / "root")

    def inside(
        self,
        work: Callable[[Stage], Any],
        *,
        isolate: bool = False,
        before: Callable[[], None] = lambda: None,
    ) -> Any:
        """What `work` returns or raises, called in a child with a stage of its own, closed afterwards. `before`
        is called in the child's mount namespace before the runner exists."""

        def build() -> Any:
            stage = Stage(self, self.runtime, isolate, before)
            try:
                return work(stage)
            finally:
                stage.close()

        return in_child(build, self.uid)


def in_child(work: Callable[[], Any], uid: int = 0) -> Any:
    """`work()` in a forked child, as user `uid`."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        child_life(work, uid, write)
    os.close(write)
    with open(read, "rb") as pipe:
        data = pipe.read()
    _, status = os.waitpid(child, 0)
    assert data, f"the child ended without a result, status {status}"
    good, value = pickle.loads(data)
    if not good:
        raise value
    return value


def child_life(work: Callable[[], Any], uid: int, write: int) -> None:
    signal.alarm(LIFE)
    try:
        become(uid)
        answer = pickle.dumps((True, work()))
    except BaseException as error:
        error.add_note(traceback.format_exc())
        try:
            answer = pickle.dumps((False, error))
            pickle.loads(answer)
        except Exception:
            answer = pickle.dumps((False, AssertionError(traceback.format_exc())))
    with open(write, "wb") as pipe:
        pipe.write(answer)
    os._exit(0)


def become(uid: int) -> None:
    if uid:
        entry = pwd.getpwuid(uid)
        os.initgroups(entry.pw_name, entry.pw_gid)
        os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
        os.setresuid(uid, uid, uid)


def make_root(root: Path) -> Path:
    for name in ("bin", "etc", "tmp", "root"):
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    shutil.copy2(shutil.which("busybox") or "/bin/busybox", root / "bin" / "busybox")
    for name in APPLETS.split():
        (root / "bin" / name).symlink_to("busybox")
    (root / "etc" / "passwd").write_text(PASSWD)
    (root / "etc" / "group").write_text(GROUP)
    return root


def eventually(condition: Callable[[], Any], seconds: float = 1.0) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def processes(word: str) -> list[int]:
    """Processes, zombies aside, with `word` in their command line."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                if word.encode() in Path(f"/proc/{entry}/cmdline").read_bytes():
                    found.append(int(entry))
            except OSError:
                continue
    return found


def groups(word: str) -> list[str]:
    return [str(path) for top in Path("/sys/fs/cgroup").iterdir() for path in top.glob(f"pybuild-{word}*")]


def word_of(box: Box) -> str:
    """A sleep's argument that no other process has."""
    return f"9{int(box.name, 16)}"


def killed_builder_leaves_nothing(box: Box, network: NetMode) -> None:
    """SIGKILL a builder while a step of it runs; within a second its processes, control groups, mounts and network
    namespaces are gone."""
    word = word_of(box)
    read, write = os.pipe()
    builder = os.fork()
    if builder == 0:
        os.close(read)
        script = f"(setsid sleep {word} &); sleep {word}"
        child_life(lambda: Stage(box, box.runtime).sh(script, network=network), box.uid, write)
    try:
        os.close(write)
        assert eventually(lambda: len(processes(word)) >= 2, 10)
        assert box.uid or groups(box.name)
        nets: set[str] = set()
        for pid in processes(word):
            with suppress(OSError):  # one that ends meanwhile
                nets.add(os.readlink(f"/proc/{pid}/ns/net"))
        nets.discard(os.readlink("/proc/self/ns/net"))
        assert nets
    finally:
        os.kill(builder, signal.SIGKILL)
        os.waitpid(builder, 0)
        os.close(read)
    assert eventually(lambda: not processes(word) and not processes(box.name), 1.0), processes(box.name)
    assert eventually(lambda: not groups(box.name), 1.0), groups(box.name)
    assert eventually(lambda: not nets & set(network_namespaces()), 1.0)
    assert mounts_below(box.directory) == []


def network_namespaces() -> list[str]:
    """Every live network namespace of the machine, as `/proc/PID/ns/net` names it."""
    listed = subprocess.run(
        ["lsns", "-n", "-t", "net", "-o", "NS"], capture_output=True, text=True, check=True
    )
    return [f"net:[{number}]" for number in listed.stdout.split()]


def mounts_below(directory: Path) -> list[str]:
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(directory) in line]
