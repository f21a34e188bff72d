"""The history for calls of clients, off the event loop: `History` is synchronous, and has a thread of its own
here."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import grpc

from pybuild.daemon.history import History
from pybuild.daemon.historyfilter import select
from pybuild.daemon.historylog import messages
from pybuild.lang.diagnostics import UserError
from pybuild.runtime.content.filters import parse_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from typing import TypeVar

    from pybuild.compiler.protos.control_pb2 import (
        BuildHistoryEvent,
        BuildHistoryRequest,
        SolveRequest,
        UpdateBuildHistoryRequest,
    )
    from pybuild.compiler.protos.worker_pb2 import WorkerRecord
    from pybuild.daemon.outcome import Outcome
    from pybuild.daemon.proxy import Context
    from pybuild.daemon.settings import Settings

    R = TypeVar("R")

AT_ONCE = 64
"""Messages of a log that are read at a time."""
BEHIND = 10_000
"""Events that a listener may be behind before its call is ended."""


class Records:
    """The daemon's history. Close it."""

    def __init__(self, settings: Settings) -> None:
        self._enabled = settings.max_entries != 0
        self._make: Callable[[], History] = lambda: History(
            settings.root, settings.max_age, settings.max_entries
        )
        self._history: History | None = None
        self._thread = ThreadPoolExecutor(1, "history")
        self._listeners: set[asyncio.Queue[BuildHistoryEvent]] = set()

    async def started(self, request: SolveRequest) -> None:
        """Begin a build."""
        if self._enabled:
            self._publish(await self._do(lambda history: history.started(request)))

    async def status(self, ref: str, data: bytes) -> None:
        """Append a StatusResponse of a build."""
        if self._enabled:
            await self._do(lambda history: history.status(ref, data))

    async def completed(self, ref: str, outcome: Outcome) -> None:
        """Complete a build."""
        if self._enabled:
            self._publish(
                await self._do(
                    lambda history: history.completed(ref, outcome.response, outcome.facts, outcome.failure)
                )
            )

    async def replay(self, ref: str, write: Callable[[bytes], Awaitable[object]]) -> bool:
        """Write the StatusResponses of a build that is over; return False if there is no record of it."""
        path = await self._do(lambda history: history.logs(ref))
        if path is None:
            return False
        log = messages(path)
        while part := await self._do(lambda _: list(islice(log, AT_ONCE))):
            for message in part:
                await write(message)
        return True

    async def listen(self, request: BuildHistoryRequest, context: Context) -> None:
        """Write events of builds: those under way, then records, then later ones unless the request ends there."""
        queue: asyncio.Queue[BuildHistoryEvent] = asyncio.Queue(BEHIND)
        self._listeners.add(queue)
        try:
            try:
                events = await self._do(lambda history: _events(history, request))
            except UserError as error:
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
                raise AssertionError from None
            for event in events:
                await context.write(event)
            while not request.EarlyExit:
                if queue not in self._listeners and queue.empty():
                    await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "the client is too slow")
                event = await queue.get()
                if request.Ref in ("", event.record.Ref):
                    await context.write(event)
        finally:
            self._listeners.discard(queue)

    async def update(self, request: UpdateBuildHistoryRequest, context: Context) -> None:
        """Delete or pin a record. There is nothing to finalize: a record is complete from the start."""
        ref = request.Ref
        try:
            if request.Delete:
                self._publish(await self._do(lambda history: history.delete(ref)))
            elif not request.Finalize:
                self._publish(await self._do(lambda history: history.pin(ref, request.Pinned)))
        except KeyError:
            await context.abort(
                grpc.StatusCode.NOT_FOUND, f"failed to retrieve ref {ref}: file does not exist"
            )

    async def worker_matches(self, filters: Sequence[str], record: WorkerRecord, context: Context) -> bool:
        """Return whether a worker's record matches filter expressions. Aborts the call for a bad filter."""
        try:
            holds = parse_all(filters)
        except UserError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            raise AssertionError from None
        return holds(lambda path: _worker_field(record, path))

    def close(self) -> None:
        """Record the builds under way as failed, and close the history."""
        if self._history is not None:
            self._thread.submit(self._history.close).result()
        self._thread.shutdown()

    async def _do(self, work: Callable[[History], R]) -> R:
        """Call `work` in the history's thread, which opens the history at its first use."""

        def run() -> R:
            if self._history is None:
                self._history = self._make()
            return work(self._history)

        return await asyncio.get_running_loop().run_in_executor(self._thread, run)

    def _publish(self, events: Sequence[BuildHistoryEvent]) -> None:
        for event in events:
            for queue in list(self._listeners):
                try:
                    queue.put_nowait(event)
                except asyncio.QueueFull:  # `listen` ends the call once it has written what is queued
                    self._listeners.discard(queue)


def _events(history: History, request: BuildHistoryRequest) -> list[BuildHistoryEvent]:
    from pybuild.compiler.protos.control_pb2 import COMPLETE, STARTED, BuildHistoryEvent

    running = [record for record in history.running() if request.Ref in ("", record.Ref)]
    over = [] if request.ActiveOnly else history.recorded(request.Ref)
    complete = select(over, request.Filter, request.Limit)
    return [
        *(BuildHistoryEvent(type=STARTED, record=record) for record in running),
        *(BuildHistoryEvent(type=COMPLETE, record=record) for record in complete),
    ]


def _worker_field(record: WorkerRecord, path: Sequence[str]) -> str | None:
    if path[0] == "id":
        return record.ID or None
    if path[0] == "labels":
        return record.Labels.get(".".join(path[1:]))
    return None
