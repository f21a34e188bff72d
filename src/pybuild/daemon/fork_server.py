"""The fork server: a process with one thread and all that a build imports, which forks workers.

Workers can't be forked from the front process: gRPC must not be used before a fork, and a process with threads can't
enter namespaces. So the fork server is forked from it before it has either. It also looks after the workers: it reaps
them and their orphans, and when the front process is gone, for whatever reason, it ends them and removes the private
directory of the front process.

Over a SOCK_SEQPACKET socket, one marshalled message each:

    to the fork server     0                           load what workers need: the front process leaves the CPU idle
                           number                      a descriptor: the worker's end of its channel
    to the front process   number, STARTED, pid        a descriptor: the worker's pidfd
                           number, FAILED, errno       the fork failed
                           number, ENDED, wait status
"""

from __future__ import annotations

import gc
import marshal
import os
import select
import shutil
import signal
import socket
import time
from contextlib import suppress

from pybuild.daemon.worker import work

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from pybuild.daemon.settings import Settings

STARTED, FAILED, ENDED = range(3)
GRACE = 0.5
"""Seconds that workers have to end on SIGTERM once the front process is gone; then again on SIGKILL."""
MESSAGE = 4096
"""The most bytes of a message."""
_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER of prctl(2)."""
_PRELOADED = (
    "encodings.ascii",
    "encodings.idna",
    "google.protobuf.descriptor_pb2",
    "grpc",
    "grpc._server",
    "pybuild.daemon.solving",
    "pybuild.daemon.tasks",
    "pybuild.daemon.usage",
    "pybuild.frontends.dockerfile_v0",
    "pybuild.frontends.gateway_v0",
    "pybuild.runtime.bridge.server",
    "pybuild.runtime.bridge.service",
    "pybuild.runtime.engine",
    "pybuild.runtime.export.local",
    "pybuild.runtime.export.oci",
    "pybuild.runtime.export.place",
    "pybuild.runtime.ops.build",
    "pybuild.runtime.ops.caches",
    "pybuild.runtime.ops.exec",
    "pybuild.runtime.ops.files.handler",
    "pybuild.runtime.ops.failedstates",
    "pybuild.runtime.ops.merge",
    "pybuild.runtime.ops.passthrough",
    "pybuild.runtime.registry.client",
    "pybuild.runtime.registry.pull",
    "pybuild.runtime.registry.transport",
    "pybuild.runtime.sandbox.devices",
    "pybuild.runtime.sandbox.executor",
    "pybuild.runtime.sandbox.network",
    "pybuild.runtime.sandbox.runner_process",
    "pybuild.runtime.snapshots.choose",
    "pybuild.runtime.snapshots.hardlinks",
    "pybuild.runtime.snapshots.overlay",
    "pybuild.runtime.sources.blob",
    "pybuild.runtime.sources.singlefile",
    "urllib3",
    "pybuild.compiler.image_export",
    "pybuild.compiler.llb.decode",
    "pybuild.compiler.protos.errdefs_pb2",
    "pybuild.compiler.protos.gateway_pb2",
)
"""Modules to import before the first fork; they import the rest of what a build needs."""


def start_fork_server(settings: Settings, directory: str, lock: int) -> tuple[int, socket.socket]:
    """Fork the fork server; return its pid and the front process's end of the socket.

    Call it while this process has one thread. `directory` is the private one of the front process, `lock` a
    descriptor of the store's lock, which both processes hold for as long as they live.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        ours.close()
        _run(theirs, settings, directory, lock)
    theirs.close()
    return pid, ours


def _run(front: socket.socket, settings: Settings, directory: str, lock: int) -> NoReturn:
    """Serve, clean up, and end: all that the forked process does."""
    code = 1
    try:
        os.setpgid(0, 0)  # a terminal's Ctrl-C is for the front process alone
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        _adopt_orphans()
        ForkServer(front, settings, lock).serve()
        shutil.rmtree(directory, ignore_errors=True)
        code = 0
    finally:
        # Not sys.exit: this process shares buffers and exit handlers with the one it was forked from.
        os._exit(code)


def _adopt_orphans() -> None:
    """Become the parent of processes whose worker has ended, so that `_reap` sees them."""
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0)


def _preload(front: socket.socket) -> None:
    """Import what builds need, unless the front process is gone meanwhile."""
    from importlib import import_module

    gone = select.poll()
    gone.register(front, select.POLLRDHUP)
    for name in _PRELOADED:
        if not gone.poll(0):
            with suppress(ImportError):
                import_module(name)
    # Frozen objects are not traversed, so workers share their memory pages instead of copying them.
    gc.collect()
    gc.freeze()


class ForkServer:
    """Forks workers until the front process is gone."""

    def __init__(self, front: socket.socket, settings: Settings, lock: int) -> None:
        self._front = front
        self._lock = lock
        self._settings = settings
        self._workers: dict[int, int] = {}
        # SIGCHLD wakes `poll` by this pipe; without a handler of Python's nothing would be written to it.
        self._wake, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        self._wake_end = wake

    def serve(self) -> None:
        """Serve until the front process is gone and no process of its builds is left."""
        poll = select.poll()
        poll.register(self._front, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll()}
            if self._wake in ready:
                self._drain()
                self._reap()
            if self._front.fileno() in ready and not self._receive():
                break
        self._end_all()

    def _drain(self) -> None:
        with suppress(BlockingIOError):
            while os.read(self._wake, 4096):
                pass

    def _receive(self) -> bool:
        """Carry out one message of the front process; return False when there will be no more."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self._front, MESSAGE, 1)
        except OSError:
            return False
        if not data:
            return False
        if descriptors:
            self._fork(marshal.loads(data), descriptors[0])
        else:
            _preload(self._front)
        return True

    def _fork(self, number: int, channel: int) -> None:
        try:
            pid = os.fork()
        except OSError as error:
            os.close(channel)
            self._report((number, FAILED, error.errno or 0))
            return
        if pid == 0:
            self._become_worker(channel)
        os.close(channel)
        self._workers[pid] = number
        # The child is not reaped yet, so the pid is its own.
        handle = os.pidfd_open(pid)
        self._report((number, STARTED, pid), handle)
        os.close(handle)

    def _become_worker(self, channel: int) -> NoReturn:
        """Work in the forked child, without the descriptors and handlers of the fork server."""
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            # The lock too: a worker that outlives the daemon must not keep the next one from the store.
            for fd in (self._wake, self._wake_end, self._lock):
                os.close(fd)
            self._front.close()
            os.setpgid(0, 0)  # signals to the group of the fork server are not for workers
            work(channel, self._settings)
        finally:
            os._exit(1)

    def _report(self, message: tuple[int, int, int], *descriptors: int) -> None:
        with suppress(OSError):
            socket.send_fds(self._front, [marshal.dumps(message)], list(descriptors))

    def _reap(self) -> bool:
        """Collect children that have ended, and report workers among them; return whether children are left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            number = self._workers.pop(pid, None)
            if number is not None:
                self._report((number, ENDED, status))

    def _end_all(self) -> None:
        """End the workers and wait for all children. Orphans of workers are not signalled: they end by themselves."""
        self._signal(signal.SIGTERM)
        end = time.monotonic() + GRACE
        while self._reap() and time.monotonic() < end:
            self._pause(end)
        self._signal(signal.SIGKILL)
        end = time.monotonic() + GRACE
        while self._reap() and time.monotonic() < end:
            self._pause(end)

    def _pause(self, end: float) -> None:
        select.select([self._wake], [], [], max(0.0, end - time.monotonic()))
        self._drain()

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._workers:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
