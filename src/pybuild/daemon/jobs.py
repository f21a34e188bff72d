"""Solves under way: their status messages, and the clients that listen to them."""

from __future__ import annotations

import asyncio

from pybuild.daemon.status_spool import StatusSpool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import grpc

WAIT = 6.0
"""Seconds that a Status call waits for its job: clients make it at the same time as the Solve."""
BRIDGE_WAIT = 3.0
"""Seconds that a call of LLBBridge waits for its build."""

ANSWERING = 1.0
"""Seconds that calls of LLBBridge have to finish once the frontend has returned."""


class Job:
    """A Solve under way. If it is `bridged`, its frontend runs in the client and calls LLBBridge."""

    def __init__(self, ref: str, spool: StatusSpool, *, bridged: bool) -> None:
        self.ref = ref
        self._bridged = bridged
        self._spool = spool
        self._listeners = 0
        self._channel: grpc.aio.Channel | None = None
        self._ended = False
        self._changed = asyncio.Condition()

    async def say(self, message: bytes) -> None:
        """Append a StatusResponse, and wake the listeners."""
        self._spool.append(message)
        async with self._changed:
            self._changed.notify_all()

    async def serve(self, channel: grpc.aio.Channel) -> None:
        """Note the channel at which the worker serves LLBBridge; `returned` closes it."""
        self._channel = channel
        async with self._changed:
            self._changed.notify_all()

    async def returned(self) -> None:
        """Note that the frontend has returned: calls of LLBBridge finish, and no others are accepted."""
        self._bridged = False
        channel, self._channel = self._channel, None
        async with self._changed:
            self._changed.notify_all()
        if channel is not None:
            await channel.close(ANSWERING)

    async def end(self) -> None:
        self._ended = True
        await self.returned()
        self._forget()

    async def messages(self) -> AsyncIterator[bytes]:
        """Yield all StatusResponses from the first to the last, as they come."""
        place = 0
        self._listeners += 1
        try:
            while True:
                while place < len(self._spool):
                    yield self._spool[place]
                    place += 1
                if self._ended:
                    return
                await self._more(place)
        finally:
            self._listeners -= 1
            self._forget()

    async def bridge(self) -> grpc.aio.Channel | None:
        """Return the channel to LLBBridge once it is served; None if it won't be."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._bridged or self._channel is not None)
        return self._channel

    async def _more(self, place: int) -> None:
        """Wait for the message of this number, or the end."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._ended or place < len(self._spool))

    def _forget(self) -> None:
        if self._ended and not self._listeners:
            self._spool.close()


class Jobs:
    """The jobs by ref. `directory` is for the messages that don't fit into memory."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._jobs: dict[str, Job] = {}
        self._changed = asyncio.Condition()

    async def start(self, ref: str, *, bridged: bool) -> Job | None:
        """Start a job; return None if there is one of that ref already."""
        if ref in self._jobs:
            return None
        job = self._jobs[ref] = Job(ref, StatusSpool(self._directory), bridged=bridged)
        async with self._changed:
            self._changed.notify_all()
        return job

    async def end(self, job: Job) -> None:
        self._jobs.pop(job.ref, None)
        await job.end()

    @property
    def count(self) -> int:
        return len(self._jobs)

    def now(self, ref: str) -> Job | None:
        return self._jobs.get(ref)

    async def get(self, ref: str, seconds: float) -> Job | None:
        """Return the job of a ref, waiting up to `seconds` for it to start; None if it doesn't."""

        async def registered() -> Job:
            async with self._changed:
                await self._changed.wait_for(lambda: ref in self._jobs)
                return self._jobs[ref]

        try:
            return await asyncio.wait_for(registered(), seconds)
        except TimeoutError:
            return None
