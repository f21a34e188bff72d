"""The zygote: a process with one thread and all that a build imports, which forks workers.

gRPC can't be used before a fork, and a process with threads can't enter namespaces: so the zygote is forked
before the door has either. It also is who looks after the workers: it reaps them and what they leave behind, and when
the door is gone, however that came about, it ends them and removes the door's private directory.

Over a SOCK_SEQPACKET socket, one marshalled message each:

    door to zygote   0                           load what workers need: the door has no use for the processor
                     number                      a descriptor: the worker's end of its channel
    zygote to door   number, STARTED, pid        a descriptor: the worker's pidfd
                     number, FAILED, errno       no worker could be made
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
"""Seconds that workers have to end once the door is gone."""
MESSAGE = 4096
_SUBREAPER = 36
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
"""What builds need sooner or later; the rest is imported by these."""


def fork_zygote(settings: Settings, directory: str, lock: int) -> tuple[int, socket.socket]:
    """The zygote's pid and the door's end of its socket. Call it while this process has one thread. `directory` is
    the door's private one, `lock` a descriptor that lasts as long as door and zygote do."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        ours.close()
        _run(theirs, settings, directory, lock)
    theirs.close()
    return pid, ours


def _run(door: socket.socket, settings: Settings, directory: str, lock: int) -> NoReturn:
    """The zygote's whole life."""
    code = 1
    try:
        os.setpgid(0, 0)  # a terminal's Ctrl-C is for the door alone
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        _adopt_orphans()
        Zygote(door, settings, lock).serve()
        shutil.rmtree(directory, ignore_errors=True)
        code = 0
    finally:
        os._exit(code)


def _adopt_orphans() -> None:
    """Have what workers leave become children of this process."""
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0)


def _preload(door: socket.socket) -> None:
    """Ends early when the door is gone."""
    from importlib import import_module

    gone = select.poll()
    gone.register(door, select.POLLRDHUP)
    for name in _PRELOADED:
        if not gone.poll(0):
            with suppress(ImportError):
                import_module(name)
    gc.collect()
    gc.freeze()


class Zygote:
    """Forks workers until the door is gone."""

    def __init__(self, door: socket.socket, settings: Settings, lock: int) -> None:
        self._door = door
        self._lock = lock
        self._settings = settings
        self._workers: dict[int, int] = {}
        self._wake, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        self._told = wake

    def serve(self) -> None:
        """Returns when the door is gone and no process of its builds is left."""
        poll = select.poll()
        poll.register(self._door, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll()}
            if self._wake in ready:
                self._drain()
                self._reap()
            if self._door.fileno() in ready and not self._hear():
                break
        self._end_all()

    def _drain(self) -> None:
        with suppress(BlockingIOError):
            while os.read(self._wake, 4096):
                pass

    def _hear(self) -> bool:
        """One message of the door's; False when there will be none."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self._door, MESSAGE, 1)
        except OSError:
            return False
        if not data:
            return False
        if descriptors:
            self._fork(marshal.loads(data), descriptors[0])
        else:
            _preload(self._door)
        return True

    def _fork(self, number: int, channel: int) -> None:
        try:
            pid = os.fork()
        except OSError as error:
            os.close(channel)
            self._tell((number, FAILED, error.errno or 0))
            return
        if pid == 0:
            self._become_worker(channel)
        os.close(channel)
        self._workers[pid] = number
        handle = os.pidfd_open(pid)
        self._tell((number, STARTED, pid), handle)
        os.close(handle)

    def _become_worker(self, channel: int) -> NoReturn:
        """In the child: forget what is the zygote's."""
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for fd in (self._wake, self._told, self._lock):
                os.close(fd)
            self._door.close()
            os.setpgid(0, 0)
            work(channel, self._settings)
        finally:
            os._exit(1)

    def _tell(self, message: tuple[int, int, int], *descriptors: int) -> None:
        with suppress(OSError):
            socket.send_fds(self._door, [marshal.dumps(message)], list(descriptors))

    def _reap(self) -> bool:
        """Whether children are left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            number = self._workers.pop(pid, None)
            if number is not None:
                self._tell((number, ENDED, status))

    def _end_all(self) -> None:
        """Orphans of workers end by themselves, and soon."""
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
