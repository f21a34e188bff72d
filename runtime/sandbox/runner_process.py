"""The runner's own life, after the fork (`runner.py` has the picture and the protocol). Single-threaded."""

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
"""What this process ignores or handles and its children must not."""


def run(channel: int, main: int) -> NoReturn:
    """Become the runner of process `main`. Tells `ready` or the failure over `channel`; never returns."""
    try:
        try:
            # No destructor of what was inherited may run here: it would close descriptors that are others by now.
            gc.disable()
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            libc.die_with_parent(signal.SIGTERM)
            if os.getppid() != main:
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
    """Keep no descriptor but the channel: an inherited flock or pipe would be held as long as this lives."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    os.dup2(channel, 3, inheritable=False)
    os.closerange(4, os.sysconf("SC_OPEN_MAX"))
    for number in _DEFAULT_SIGNALS:
        if number not in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
    return 3


class _Runner:
    def __init__(self, channel: int) -> None:
        self.channel = socket.socket(fileno=channel)
        self._outer_proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._by_pid: dict[int, tuple[int, int]] = {}
        self._by_key: dict[int, int] = {}
        self._groups: list[str] = []
        self._ending = False

    def enter(self) -> int:
        """Make the namespaces and the init; its pid."""
        libc.unshare(libc.CLONE_NEWNS | libc.CLONE_NEWPID)
        libc.mount("none", "/", flags=libc.MS_REC | libc.MS_SLAVE)
        read, write = os.pipe()
        init = os.fork()
        if init == 0:
            _become_init(write)
        os.close(write)
        failure = os.read(read, 4)
        os.close(read)
        if failure != bytes(4):
            number = int.from_bytes(failure, "little") or errno.EIO
            raise OSError(number, f"mounting its /proc: {os.strerror(number)}")
        return init

    def serve(self, init: int) -> None:
        """Until main closes the channel or dies, or the init ends."""
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
        """Report every child that has ended; whether the init is among them."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if pid == init:
                return True
            known = self._by_pid.pop(pid, None)
            if known is not None:
                key, report = known
                self._by_key.pop(key, None)
                _report(report, status)
                os.close(report)

    def _request(self) -> bool:
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

    def _begin(self, operation: int, key: int, what: list[Any], fds: list[int], report: int) -> None:
        """Start a child, and say so."""
        try:
            if operation == SPAWN:
                pid = _spawn(*what, fds=fds)
            else:
                pid = _fork(_make_netns if operation == NETNS else _drop_netns, *what)
        except OSError as error:
            _report(report, -(error.errno or errno.EIO))
            os.close(report)
        else:
            self._by_pid[pid] = (key, report)
            self._by_key[key] = pid
            _report(report, pid)

    def _kill(self, key: int) -> None:
        """Kill a child and its descendants. It is stopped first, so that it makes no more children meanwhile;
        a container's first process takes the rest of its pid namespace with it."""
        pid = self._by_key.get(key)
        if pid is None:
            return
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
        children: dict[int, list[int]] = {}
        for name in os.listdir(self._outer_proc):
            if name.isdigit():
                parent = self._parent(name)
                if parent is not None:
                    children.setdefault(parent, []).append(int(name))
        found = list(children.get(pid, ()))
        for one in found:
            found += children.get(one, ())
        return found

    def _parent(self, pid: str) -> int | None:
        try:
            fd = os.open(f"{pid}/stat", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._outer_proc)
        except OSError:
            return None
        try:
            # The command's name, in parentheses, may hold anything; the state and the parent come after it.
            return int(os.read(fd, 1024).rpartition(b")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            return None
        finally:
            os.close(fd)


def _report(fd: int, number: int) -> None:
    try:
        os.write(fd, NUMBER.pack(number))
    except OSError:
        # The client has closed its end and wants to know nothing more.
        pass


def _spawn(argv: list[str], env: dict[str, str], cwd: str, *, fds: list[int]) -> int:
    os.chdir(cwd)
    actions = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(fds)]
    return os.posix_spawn(
        argv[0], argv, env, file_actions=actions, setpgroup=0, setsigmask=(), setsigdef=_DEFAULT_SIGNALS
    )


def _fork(work: Callable[[str], None], path: str) -> int:
    """A child that does `work(path)` and ends with 0 or an errno."""
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
    libc.unshare(libc.CLONE_NEWNET)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(control, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))
    libc.mount("/proc/self/ns/net", path, flags=libc.MS_BIND)


def _drop_netns(path: str) -> None:
    libc.umount(path, libc.MNT_DETACH)


def _become_init(ready: int) -> NoReturn:
    """Process 1 of the pid namespace: mounts its /proc and from then on only exists. Children that end as
    orphans are reaped by the kernel, because SIGCHLD is ignored."""
    try:
        libc.die_with_parent(signal.SIGKILL)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        libc.mount("proc", "/proc", "proc", libc.MS_NOSUID | libc.MS_NODEV | libc.MS_NOEXEC)
        os.write(ready, bytes(4))
        os.closerange(0, 64)
        while True:
            signal.pause()
    except OSError as error:
        os.write(ready, (error.errno or errno.EIO).to_bytes(4, "little"))
    finally:
        os._exit(1)
