"""Runs `pybuild WORDS` in a process of its own that need not import the program first.

Most of the time of a small build is the interpreter reading the program. A test whose subject is the build and not
the process therefore asks `run` of here in place of `subprocess.run`: a server process with all modules loaded forks
a child, which has the words, directory, variables, streams and exit code of a process that was started afresh.

What a child can't have is its own state of the interpreter: the modules it imports, the seed of hashes, what Python
reads of the variables itself, the interpreter's end, at which it frees all objects. With such variables `run` starts
a fresh interpreter, and so must a test that is about the others.
"""

from __future__ import annotations

import atexit
import os
import selectors
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.warm.asking import ask, exit_code

SERVER = Path(__file__).with_name("server.py")
COMMAND = Path(__file__).with_name("command.py")
STARTED: list[int] = []
"""Process ids of the servers."""

STARTED_WITHIN = 120.0
_HARMLESS = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONUNBUFFERED")
_LOCALE = ("LANG", "LC_ALL", "LC_CTYPE")


def run(
    words: Sequence[str],
    *,
    cwd: Path | str,
    env: Mapping[str, str],
    stdin: bytes = b"",
    timeout: float,
    package: Path | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """`python -m pybuild WORDS` to its end. `package` is the directory of the program, if it is not the checkout's;
    then PYTHONPATH ends with it. Raises subprocess.TimeoutExpired, the process being killed."""
    command = [sys.executable, "-m", "pybuild", *words]
    if _is_pythons(env, package):
        return subprocess.run(
            command, cwd=cwd, env=dict(env), input=stdin, capture_output=True, timeout=timeout, check=False
        )
    return _server(package, os.getpid()).run(command, str(cwd), dict(env), stdin, timeout)


def command() -> str:
    """What a shell script of a test calls in place of `pybuild`."""
    server = _server(None, os.getpid())
    server.connect().close()
    return shlex.join([sys.executable, "-I", "-S", str(COMMAND), server.path])


def _is_pythons(env: Mapping[str, str], package: Path | None) -> bool:
    """Whether a variable would make another interpreter than the server's is, or another program of it."""
    path = env.get("PYTHONPATH", "")
    return (
        any(name.startswith("PYTHON") and name not in _HARMLESS for name in env)
        or any(not env[name].endswith("UTF-8") for name in _LOCALE if name in env)
        or path.rpartition(os.pathsep)[2] != str(package or "")
    )


_servers: dict[tuple[Path | None, int, str], Server] = {}


def _server(package: Path | None, owner: int) -> Server:
    """Return the server of this process for a program; one that has ended is started again.

    A server lives in the mount namespace that this process had when it started: once a test has moved the process to
    another one, builds need a server that sees its mounts.
    """
    key = (package, owner, os.readlink("/proc/self/ns/mnt"))
    known = _servers.get(key)
    if known is None or known.ended:
        known = _servers[key] = Server(package)
    return known


class Server:
    """The process of `server.py`; it ends with this one."""

    def __init__(self, package: Path | None) -> None:
        self._directory = tempfile.mkdtemp(prefix="pybuild-warm-")
        self.path = os.path.join(self._directory, "socket")
        variables = {**os.environ, "LC_ALL": "C.UTF-8", "PYTHONPATH": str(package or "")}
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(SERVER), self.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=variables,
        )
        STARTED.append(self._process.pid)
        atexit.register(self.close)

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)

    def run(
        self, command: list[str], cwd: str, env: dict[str, str], stdin: bytes, timeout: float
    ) -> subprocess.CompletedProcess[bytes]:
        ends = [os.pipe() for _ in range(3)]
        try:
            client = self.connect()
            ask(client, command[3:], cwd, env, (ends[0][0], ends[1][1], ends[2][1]))
        finally:
            for fd in (ends[0][0], ends[1][1], ends[2][1]):
                os.close(fd)
        feeder = threading.Thread(target=_feed, args=(ends[0][1], stdin))
        feeder.start()
        try:
            told, out, err = _drain((client.detach(), ends[1][0], ends[2][0]), time.monotonic() + timeout)
        except TimeoutError:
            raise subprocess.TimeoutExpired(command, timeout) from None
        finally:
            feeder.join()
        return subprocess.CompletedProcess(command, exit_code(told), out, err)

    def connect(self) -> socket.socket:
        deadline = time.monotonic() + STARTED_WITHIN
        while True:
            client = socket.socket(socket.AF_UNIX)
            try:
                client.connect(self.path)
                return client
            except (FileNotFoundError, ConnectionRefusedError):
                client.close()
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)


def _feed(fd: int, data: bytes) -> None:
    try:
        with open(fd, "wb", buffering=0) as file:
            while data:
                data = data[file.write(data) :]
    except BrokenPipeError:
        pass


def _drain(fds: tuple[int, int, int], deadline: float) -> list[bytes]:
    """All that the server says and the process writes. Raises TimeoutError after the process was killed."""
    found: dict[int, list[bytes]] = {fd: [] for fd in fds}
    try:
        with selectors.DefaultSelector() as selector:
            for fd in fds:
                selector.register(fd, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(max(0.0, deadline - time.monotonic()))
                if not ready:
                    os.kill(int(b"".join(found[fds[0]]).split()[0]), 9)
                    raise TimeoutError
                for key, _ in ready:
                    data = os.read(key.fd, 1 << 16)
                    found[key.fd].append(data)
                    if not data:
                        selector.unregister(key.fd)
    finally:
        for fd in fds:
            os.close(fd)
    return [b"".join(parts) for parts in found.values()]
