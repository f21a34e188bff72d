"""The runner's side, after the fork. Single-threaded. The picture and the protocol are in `runner.py`."""

from __future__ import annotations

import errno
import fcntl
import gc
import marshal
import os
import select
import signal
import socket
import struct

from pybuild.runtime.sandbox import libc
from pybuild.runtime.sandbox.cgroups import remove_group
from pybuild.runtime.sandbox.runner import GROUPS, KILL, MAX_MESSAGE, NETNS, NUMBER, SIGNAL, SPAWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1

_DEFAULT_SIGNALS = [
    signal.SIGPIPE,
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGCHLD,
    signal.SIGXFSZ,
]
"""Signals that this process ignores or handles, to be reset in its children: ignored signals survive exec(2)."""


def run(channel: int, main: int) -> NoReturn:
    """Become the runner of process `main`. Sends `ready` or the failure over `channel`; never returns."""
    try:
        try:
            # No destructor of an inherited object may run here: it would close a descriptor number that belongs to
            # something else by now.
            gc.disable()
            # A session of its own: signals of main's terminal and process group are not for steps.
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            libc.die_with_parent(signal.SIGTERM)
            if os.getppid() != main:  # main died before the line above
                os._exit(1)
            runner = _Runner(_settle(channel))
            init = runner.enter()
        except OSError as error:
            os.write(channel, (error.strerror or str(error)).encode())
            os._exit(1)
        os.write(runner.channel.fileno(), b"ready")
        try:
            runner.serve(init)
        finally:
            runner.end(init)
    finally:
        os._exit(1)


def _settle(channel: int) -> int:
    """Close all descriptors but the channel, which becomes number 3. An inherited lock or pipe would be held as
    long as this process lives."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    os.dup2(channel, 3, inheritable=False)
    os.closerange(4, os.sysconf("SC_OPEN_MAX"))
    for number in _DEFAULT_SIGNALS:
        # A Ctrl-C is main's to handle: it closes the channel when it has cleaned up.
        if number not in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
    return 3


class _Runner:
    """The requests being served. `_by_pid` has key and report of each living child, `_by_key` its pid."""

    def __init__(self, channel: int) -> None:
        self.channel = socket.socket(fileno=channel)
        # The /proc of main's pid namespace, to find the descendants of children by pids as this process knows
        # them. The one mounted at /proc later shows the pids of the inner namespace.
        self._outer_proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._by_pid: dict[int, tuple[int, int]] = {}
        self._by_key: dict[int, int] = {}
        self._groups: list[str] = []
        self._ending = False

    def enter(self) -> int:
        """Make the namespaces and the init, and return the pid of the init. Raises OSError."""
        libc.unshare(libc.CLONE_NEWNS | libc.CLONE_NEWPID)
        libc.mount("none", "/", flags=libc.MS_REC | libc.MS_SLAVE)
        read, write = os.pipe()
        # After CLONE_NEWPID the next child is process 1 of the new namespace, and later children are in it too.
        init = os.fork()
        if init == 0:
            os.close(read)
            _become_init(write)
        os.close(write)
        failure = os.read(read, 4)
        os.close(read)
        if failure != bytes(4):
            number = int.from_bytes(failure, "little") or errno.EIO
            raise OSError(number, f"mounting its /proc: {os.strerror(number)}")
        return init

    def serve(self, init: int) -> None:
        """Serve requests until main closes the channel or dies, or the init ends."""
        # Signals wake up the poll through a pipe: checked between polls only, one could come too late to be seen.
        wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._end_soon)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        poll = select.poll()
        poll.register(self.channel, select.POLLIN)
        poll.register(wake_read, select.POLLIN)
        while not self._ending:
            for fd, _ in poll.poll():
                if fd == wake_read:
                    os.read(wake_read, 4096)
                    if self._reap(init):
                        return
                elif not self._request():
                    return

    def _end_soon(self, *_: object) -> None:
        self._ending = True

    def end(self, init: int) -> None:
        """End every process in the namespace, then remove the build's control groups."""
        try:
            os.kill(init, signal.SIGKILL)
            while True:
                os.wait()
        except (ProcessLookupError, ChildProcessError):
            pass
        for directory in self._groups:
            remove_group(directory)

    def _reap(self, init: int) -> bool:
        """Report every child that has ended. Returns true if the init is among them."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if pid == init:
                return True
            child = self._by_pid.pop(pid, None)
            if child is not None:
                key, report = child
                self._by_key.pop(key, None)
                _report(report, status)
                os.close(report)

    def _request(self) -> bool:
        """Serve one request. Returns false if main has closed the channel."""
        data, fds, _, _ = socket.recv_fds(self.channel, MAX_MESSAGE, 4)
        if not data:
            return False
        for fd in fds:
            os.set_inheritable(fd, False)
        operation, *request = marshal.loads(data)
        if operation == KILL:
            self._kill(request[0])
        elif operation == SIGNAL:
            self._signal(*request)
        elif operation == GROUPS:
            self._groups += request[0]
        else:
            self._begin(operation, request[0], request[1:], fds[:-1], fds[-1])
            for fd in fds[:-1]:
                os.close(fd)
        return True

    def _begin(self, operation: int, key: int, arguments: list[Any], fds: list[int], report: int) -> None:
        """Start a child and report its pid, or the errno."""
        try:
            if operation == SPAWN:
                pid = _spawn(*arguments, fds=fds)
            else:
                pid = _fork(_make_netns if operation == NETNS else _drop_netns, *arguments)
        except OSError as error:
            _report(report, -(error.errno or errno.EIO))
            os.close(report)
        else:
            self._by_pid[pid] = (key, report)
            self._by_key[key] = pid
            _report(report, pid)

    def _kill(self, key: int) -> None:
        """Kill a child and its descendants. The child is stopped first, so that it makes no more children
        meanwhile; a container's first process takes the rest of its pid namespace with it."""
        pid = self._by_key.get(key)
        if pid is None:
            return
        # Not reaped yet, so the pid is still the child's.
        os.kill(pid, signal.SIGSTOP)
        for target in [*self._descendants(pid), pid]:
            try:
                os.kill(target, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def _signal(self, key: int, number: int) -> None:
        pid = self._by_key.get(key)
        if pid is not None:
            os.kill(pid, number)

    def _descendants(self, pid: int) -> list[int]:
        """The pids of a process's descendants, parents before children."""
        children: dict[int, list[int]] = {}
        for name in os.listdir(self._outer_proc):
            if name.isdigit():
                parent = self._parent(name)
                if parent is not None:
                    children.setdefault(parent, []).append(int(name))
        descendants = list(children.get(pid, ()))
        for one in descendants:  # grows meanwhile
            descendants += children.get(one, ())
        return descendants

    def _parent(self, pid: str) -> int | None:
        try:
            fd = os.open(f"{pid}/stat", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._outer_proc)
        except OSError:
            return None
        try:
            # The command's name, in parentheses, may have anything in it; state and parent come after it.
            return int(os.read(fd, 1024).rpartition(b")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            return None
        finally:
            os.close(fd)


def _report(fd: int, number: int) -> None:
    try:
        os.write(fd, NUMBER.pack(number))
    except OSError:
        # Main has closed its end of this report.
        pass


def _spawn(argv: list[str], env: dict[str, str], cwd: str, *, fds: list[int]) -> int:
    # posix_spawn can't set the working directory: the child inherits this process's.
    os.chdir(cwd)
    # Received descriptors have numbers above 3, so no dup2 covers one that is still needed.
    actions = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(fds)]
    return os.posix_spawn(
        argv[0], argv, env, file_actions=actions, setpgroup=0, setsigmask=(), setsigdef=_DEFAULT_SIGNALS
    )


def _fork(work: Callable[[str], None], path: str) -> int:
    """Fork a child that calls `work(path)` and exits with 0 or an errno, and return its pid."""
    pid = os.fork()
    if pid:
        return pid
    code = errno.EIO
    try:
        work(path)
        code = 0
    except OSError as error:
        code = error.errno or errno.EIO
    finally:
        os._exit(code)


def _make_netns(path: str) -> None:
    """Make a network namespace with `lo` up, and bind it at `path`. Its process may end then."""
    libc.unshare(libc.CLONE_NEWNET)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        # struct ifreq: 16 bytes of name, the flags, and the rest of the union.
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(control, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))
    libc.mount("/proc/self/ns/net", path, flags=libc.MS_BIND)


def _drop_netns(path: str) -> None:
    libc.umount(path, libc.MNT_DETACH)


def _become_init(ready: int) -> NoReturn:
    """Become process 1 of the pid namespace: mount its /proc, write four zero bytes or an errno to `ready`, and
    sleep. Orphans become its children; the kernel reaps them, because SIGCHLD is ignored.

    No getppid(2) tells in here whether the runner died before it could be asked for the signal. The pipe does: this
    process doesn't hold its other end, so the write fails once the runner is gone."""
    try:
        libc.die_with_parent(signal.SIGKILL)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        libc.mount("proc", "/proc", "proc", libc.MS_NOSUID | libc.MS_NODEV | libc.MS_NOEXEC)
        os.write(ready, bytes(4))
        # The runner's descriptors, all of low numbers: one left open here would outlive the runner.
        os.closerange(0, 64)
        while True:
            signal.pause()
    except OSError as error:
        os.write(ready, (error.errno or errno.EIO).to_bytes(4, "little"))
    finally:
        os._exit(1)
