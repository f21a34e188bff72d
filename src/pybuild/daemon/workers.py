"""Workers from the front process's side: the fork server forks a process for each task."""

from __future__ import annotations

import asyncio
import marshal
import os
import signal
import socket
from contextlib import suppress

from pybuild.build.channel import LENGTH
from pybuild.daemon.fork_server import ENDED, FAILED, MESSAGE, STARTED
from pybuild.lang.diagnostics import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

GRACE = 20.0
"""Seconds that a cancelled worker has to end its steps, since it last said that others wait for one."""


class WorkerLost(UserError):
    """A worker could not be forked, or ended without an answer."""


class Worker:
    """A worker process. `ended` holds its wait status once it has ended."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._handle = -1
        self._cancelled = False
        self._end: asyncio.TimerHandle | None = None
        # Signals go to the pidfd: a pid may belong to another process once the fork server has reaped the worker.
        self.pid = 0
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def send(self, task: dict[str, Any]) -> None:
        data = marshal.dumps(task)
        self._writer.write(LENGTH.pack(len(data)) + data)
        with suppress(ConnectionError):
            await self._writer.drain()

    async def next(self) -> tuple[Any, ...] | None:
        """Return the next event; None when there will be no more."""
        try:
            (length,) = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))
            event: tuple[Any, ...] = marshal.loads(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        return event

    def started(self, pid: int, handle: int) -> None:
        self.pid, self._handle = pid, handle
        if self._cancelled:  # before the fork was reported: the signal had nowhere to go
            self._signal(signal.SIGTERM)

    def cancel(self) -> None:
        """Send SIGTERM, and SIGKILL after GRACE seconds. Idempotent."""
        if not self._cancelled:
            self._cancelled = True
            self._signal(signal.SIGTERM)
            self.spare()

    def spare(self) -> None:
        """Restart the grace period, if the worker is cancelled."""
        if self._cancelled and not self.ended.done():
            if self._end is not None:
                self._end.cancel()
            self._end = asyncio.get_running_loop().call_later(GRACE, self.kill)

    def kill(self) -> None:
        """Send SIGKILL; harmless after the end."""
        self._signal(signal.SIGKILL)

    def close(self) -> None:
        """Close the channel: a worker without an answer then ends. Idempotent."""
        self._writer.close()

    def over(self, status: int) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
        if self._end is not None:
            self._end.cancel()
        if not self.ended.done():
            self.ended.set_result(status)

    def _signal(self, number: signal.Signals) -> None:
        if self._handle >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, number)


class Workers:
    """Forks workers through the fork server. `lost` is set when that has ended: nothing works without it."""

    def __init__(self, fork_server: int, link: socket.socket) -> None:
        self._fork_server = fork_server
        self._link = link
        self._link.setblocking(False)
        self._next = 0
        self._workers: dict[int, Worker] = {}
        self.lost = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._link, self._receive)

    def prepare(self) -> None:
        """Start loading, in the fork server, what workers need. Call it once clients are served; `fork` waits for
        it."""
        with suppress(OSError):
            self._link.send(marshal.dumps(0))

    async def fork(self) -> Worker:
        """Fork a worker, which waits for its task. Raises WorkerLost."""
        ours, theirs = socket.socketpair()
        with theirs:
            ours.setblocking(False)
            reader, writer = await asyncio.open_unix_connection(sock=ours, limit=1 << 20)
            self._next += 1
            number = self._next
            worker = self._workers[number] = Worker(reader, writer)
            try:
                await self._request_fork(number, theirs)
            except BaseException as error:
                del self._workers[number]
                worker.close()
                if isinstance(error, OSError):
                    raise WorkerLost("the process that forks workers has ended") from None
                raise
        return worker

    @property
    def count(self) -> int:
        """The number of workers that have not ended."""
        return len(self._workers)

    async def close(self, seconds: float) -> None:
        """End the fork server, which ends all workers; kill it after `seconds`."""
        loop = asyncio.get_running_loop()
        with suppress(OSError, ValueError):
            loop.remove_reader(self._link)
        self._link.close()
        end = loop.time() + seconds
        while not os.waitpid(self._fork_server, os.WNOHANG)[0]:
            if loop.time() > end:
                os.kill(self._fork_server, signal.SIGKILL)
                os.waitpid(self._fork_server, 0)
                break
            await asyncio.sleep(0.005)
        self._mark_lost()

    def _mark_lost(self) -> None:
        """Note that the fork server has ended, and the workers with it."""
        for worker in list(self._workers.values()):
            worker.over(-1)
        self._workers.clear()
        self.lost.set()

    async def _request_fork(self, number: int, theirs: socket.socket) -> None:
        while True:
            try:
                socket.send_fds(self._link, [marshal.dumps(number)], [theirs.fileno()])
                return
            except BlockingIOError:
                # The queue of the socket is full: the fork server is still loading, or busy.
                await asyncio.sleep(0.005)

    def _receive(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._link, MESSAGE, 1)
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        if not data:
            asyncio.get_running_loop().remove_reader(self._link)
            self._mark_lost()
            return
        number, kind, value = marshal.loads(data)
        worker = self._workers.get(number)
        if kind == STARTED and worker is not None:
            worker.started(value, descriptors[0])
            return
        for fd in descriptors:
            os.close(fd)  # of a worker whose caller has given up
        if kind in (ENDED, FAILED):
            self._workers.pop(number, None)
            if worker is not None:
                worker.over(value)
                if kind == FAILED:
                    worker.close()
