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
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pybuild.compiler.ops import Meta, NetMode
from pybuild.runtime.sandbox import executor, find, namespaces, network, runner, runner_process, step, subids
from pybuild.runtime.sandbox.users import Identity
from pybuild.runtime.solver.types import Cancellation

APPLETS = (
    "sh ash true false ls cat id ps env sleep mount umount echo wc touch mkdir rm pwd dd head tail grep hostname "
    "unshare chroot kill mknod nc netstat ip ulimit stat df chmod chown sync seq nohup setsid test chown tr sort "
    "readlink ln yes"
).split()
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

    def __init__(self, box: Box, runtime: str, isolate: bool) -> None:
        self.box = box
        work = box.directory / "store" / "work" / box.name
        work.mkdir(parents=True, exist_ok=True)
        namespaces.enter(str(box.directory))
        self.runner = runner.Runner.start()
        self.notices: list[str] = []
        self.networks = network.NetworkPool(
            self.runner, str(work), notice=self.notices.append, isolate=isolate
        )
        self.sandbox = executor.Sandbox(str(work), self.runner, self.networks, runtime)

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

    def inside(self, work: Callable[[Stage], Any], *, isolate: bool = False) -> Any:
        """What `work` returns or raises, called in a child with a stage of its own, closed afterwards."""

        def build() -> Any:
            stage = Stage(self, self.runtime, isolate)
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
    for name in APPLETS:
        (root / "bin" / name).unlink(missing_ok=True)
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


def needs_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")


@pytest.fixture
def box(tmp_path: Path) -> Box:
    needs_root()
    runtime = find.find_program("crun")
    if runtime is None or shutil.which("busybox") is None:
        pytest.skip("needs crun and busybox")
    return Box(tmp_path, runtime)


@pytest.fixture(params=["crun", "runc"])
def any_box(request: pytest.FixtureRequest, tmp_path: Path) -> Box:
    needs_root()
    runtime = find.find_program(request.param)
    if runtime is None or shutil.which("busybox") is None:
        pytest.skip(f"needs {request.param} and busybox")
    return Box(tmp_path, runtime)


@pytest.fixture(scope="session")
def ordinary_user() -> int:
    """uid of an ordinary user with sub-ids."""
    needs_root()
    try:
        return pwd.getpwnam(USER).pw_uid
    except KeyError:
        made = subprocess.run(["useradd", "--create-home", USER], capture_output=True, text=True, check=False)
        if made.returncode:
            pytest.skip(f"needs an ordinary user: {made.stderr}")
        return pwd.getpwnam(USER).pw_uid


@pytest.fixture
def user_box(ordinary_user: int) -> Iterator[Box]:
    runtime = find.find_program("crun")
    if runtime is None or shutil.which("busybox") is None or find.find_program("newuidmap") is None:
        pytest.skip("needs crun, busybox and newuidmap")
    directory = Path(tempfile.mkdtemp(prefix="pybuild-user-"))
    try:
        directory.chmod(0o755)
        made = Box(directory, runtime)
        made.uid = ordinary_user
        for path in (directory, *directory.rglob("*")):
            os.chown(path, ordinary_user, ordinary_user, follow_symlinks=False)
        yield made
    finally:
        shutil.rmtree(directory)
