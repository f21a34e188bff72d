"""The runner: a process that starts everything a build runs, in a pid namespace that ends with the build.

    main (many threads) ── socket ──> runner ──┬── init of the pid namespace: only reaps
                                               ├── crun … step 1
                                               └── crun … step 2, pasta, …

When main dies, the runner notices (its socket closes, and the kernel signals it), kills the namespace's init and
removes the build's control groups. When the runner dies, the kernel kills the init. The end of the init ends every
process in the namespace. So nothing that a build started outlives it, however the build ends.

The runner is forked from main before any thread exists. Its mount namespace is a slave of main's, so it sees main's
mounts come and go, but it has a /proc of its own that shows the pid namespace: the runtimes look up their children
there.

The protocol runs over a SOCK_SEQPACKET socket with one message for each request. Answers come only through
`report`, the writing end of a pipe, which is the last descriptor of a request. Messages are marshalled tuples:

    SPAWN, key, argv, env, cwd     descriptors stdin, stdout, stderr, report
    NETNS, key, path               descriptor report
    DROP_NETNS, key, path          descriptor report
    KILL, key
    SIGNAL, key, number
    GROUPS, directories            control groups to remove at the end

`report` gets two numbers of eight bytes: the pid when the process has started, and its wait status when it has
ended. A negative first number is an errno, and nothing follows it.
"""

from __future__ import annotations

import marshal
import os
import select
import socket
import struct
import threading
import time

from pybuild.runtime.sandbox.errors import SandboxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

SPAWN, NETNS, DROP_NETNS, KILL, SIGNAL, GROUPS = range(6)
NUMBER = struct.Struct("=q")
MAX_MESSAGE = 128 << 10


class Child:
    """A process started by the runner. Closing it neither waits nor kills."""

    __slots__ = ("_code", "_report", "_runner", "key", "pid")

    def __init__(self, runner: Runner, key: int, report: int, pid: int) -> None:
        self._runner = runner
        self._report = report
        self._code: int | None = None
        self.key = key
        self.pid = pid

    def fileno(self) -> int:
        """The descriptor that becomes readable when the process has ended, for poll(2)."""
        return self._report

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for the end and return the exit code, or minus the signal's number for a killed process. Returns
        None after `timeout` seconds.

        Raises SandboxError when the runner is gone, and with it every process that it started.
        """
        if self._code is None and _readable(self._report, timeout):
            self._code = os.waitstatus_to_exitcode(_read_number(self._report))
        return self._code

    def kill(self) -> None:
        """Kill the process and all its descendants by SIGKILL. Harmless after the end."""
        self._send((KILL, self.key))

    def signal(self, number: int) -> None:
        """Send the process a signal. Harmless after the end."""
        self._send((SIGNAL, self.key, int(number)))

    def _send(self, request: tuple[int, ...]) -> None:
        try:
            self._runner.send(request, ())
        except SandboxError:
            # The runner has ended, and everything that it started with it.
            pass

    def close(self) -> None:
        """Close the report's descriptor. Idempotent."""
        report, self._report = self._report, -1
        if report >= 0:
            os.close(report)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Runner:
    """Main's side of the runner. Thread-safe. Call `start` after `namespaces.enter` and before any thread
    exists."""

    __slots__ = ("_channel", "_guard", "_next", "_pid")

    def __init__(self, channel: socket.socket, pid: int) -> None:
        self._channel = channel
        self._pid = pid
        self._guard = threading.Lock()
        self._next = 0

    @classmethod
    def start(cls) -> Runner:
        """Fork the runner. Raises RuntimeError if threads exist, SandboxError if the pid namespace or its /proc
        is refused."""
        if threading.active_count() != 1:
            raise RuntimeError("the runner must be started before any thread")
        # Imported before the fork, so that the runner shares the memory and begins at once.
        from pybuild.runtime.sandbox import runner_process

        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        main = os.getpid()
        pid = os.fork()
        if pid == 0:
            runner_process.run(theirs.fileno(), main)
        theirs.close()
        failure = ours.recv(4096)
        if failure != b"ready":
            ours.close()
            os.waitpid(pid, 0)
            raise SandboxError(
                "steps can't be given a pid namespace of their own: "
                + (failure.decode("utf-8", "replace") or "the runner ended"),
                help="inside a container this needs --privileged, or for an ordinary user "
                "--security-opt systempaths=unconfined --security-opt seccomp=unconfined",
            )
        return cls(ours, pid)

    def spawn(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str = "/",
        stdin: int,
        stdout: int,
        stderr: int,
    ) -> Child:
        """Start `argv` (argv[0] is a path) with three descriptors of this process, which stay open here.

        Raises OSError as exec does, SandboxError when the runner is gone.
        """
        request = (list(argv), dict(env), cwd)
        return self._start(SPAWN, request, (stdin, stdout, stderr), argv[0])

    def make_netns(self, path: str) -> None:
        """Make a network namespace with the loopback interface up, and bind it at the existing file `path`, where
        processes that the runner starts see it. Raises OSError."""
        self._complete(NETNS, path)

    def drop_netns(self, path: str) -> None:
        """Unmount the namespace at `path`. It ends when its last process has ended. Raises OSError."""
        self._complete(DROP_NETNS, path)

    def _complete(self, operation: int, path: str) -> None:
        """Run an operation on `path` to its end. Raises OSError if it failed: its exit code is an errno."""
        with self._start(operation, (path,), (), path) as child:
            code = child.wait()
            if code:
                raise OSError(code, os.strerror(code), path)

    def _start(self, operation: int, request: tuple[object, ...], fds: tuple[int, ...], name: str) -> Child:
        with self._guard:
            self._next += 1
            key = self._next
        read, write = os.pipe()
        try:
            self.send((operation, key, *request), (*fds, write))
            # Before the read, which would never end if the runner died while this process had the end open.
            os.close(write)
            write = -1
            pid = _read_number(read)
            if pid < 0:
                raise OSError(-pid, os.strerror(-pid), name)
        except BaseException:
            os.close(read)
            if write >= 0:
                os.close(write)
            raise
        return Child(self, key, read, pid)

    def own_groups(self, directories: Sequence[str]) -> None:
        """Register control groups, which need not exist, for removal if this process dies before it removes
        them."""
        self.send((GROUPS, list(directories)), ())

    def send(self, message: tuple[Any, ...], fds: tuple[int, ...]) -> None:
        """Send one request. Raises SandboxError when the runner is gone."""
        data = marshal.dumps(message)
        if len(data) > MAX_MESSAGE:
            raise SandboxError(f"a command line of {len(data)} bytes is too long for the runner")
        try:
            socket.send_fds(self._channel, [data], list(fds))
        except OSError:
            raise _gone() from None

    def close(self, *, wait: bool = True) -> None:
        """End the runner and with it every process that it started. Idempotent. Without `wait` they may still be
        dying on return: their end takes tens of milliseconds, most of it for the kernel's removal of network
        namespaces."""
        pid, self._pid = self._pid, 0
        self._channel.close()
        if pid:
            os.waitpid(pid, 0 if wait else os.WNOHANG)

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _gone() -> SandboxError:
    return SandboxError("the process that runs steps has ended unexpectedly")


def _read_number(fd: int) -> int:
    data = os.read(fd, NUMBER.size)
    if len(data) != NUMBER.size:
        raise _gone()
    number: int = NUMBER.unpack(data)[0]
    return number


def _readable(fd: int, timeout: float | None) -> bool:
    """Wait until a descriptor is readable. Returns false after `timeout` seconds."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    end = None if timeout is None else time.monotonic() + timeout
    while True:
        left = None if end is None else max(0.0, end - time.monotonic())
        if poll.poll(None if left is None else left * 1000):
            return True
        if left == 0.0:
            return False
