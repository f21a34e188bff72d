"""`moby.buildkit.v1.Control`, and the other services of the daemon's clients."""

from __future__ import annotations

import asyncio
import os
import time
from itertools import count

import grpc

from pybuild.compiler.protos import control_pb2
from pybuild.daemon.jobs import BRIDGE_WAIT, WAIT, Job, Jobs
from pybuild.daemon.outcome import Outcome, message_of, status
from pybuild.daemon.proxy import CHANNEL, fail, forward, only
from pybuild.daemon.workerrecord import buildkit_version, worker_record
from pybuild.daemon.workers import Worker, WorkerLost, Workers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from typing import Any

    from pybuild.compiler.protos.control_pb2 import (
        BuildHistoryRequest,
        BytesMessage,
        DiskUsageRequest,
        InfoRequest,
        ListWorkersRequest,
        PruneRequest,
        SolveRequest,
        StatusRequest,
        UpdateBuildHistoryRequest,
    )
    from pybuild.daemon.journal import Journal
    from pybuild.daemon.proxy import Context
    from pybuild.daemon.records import Records
    from pybuild.daemon.sessions import Sessions
    from pybuild.daemon.settings import Settings

BUILD_ID = "buildkit-controlapi-buildid"
"""The metadata key of LLBBridge calls that holds the ref of their Solve."""
COLLECT_EVERY = 60.0
"""Seconds between two garbage collections, which follow Solves."""
_TIMESTAMP = "buildkit-current-timestamp"


class Control:
    """The methods of the service. `directory` is the private one of the front process, `inner` its socket for
    workers."""

    def __init__(
        self,
        settings: Settings,
        workers: Workers,
        sessions: Sessions,
        records: Records,
        journal: Journal,
        directory: str,
        inner: str,
    ) -> None:
        self._settings = settings
        self._workers = workers
        self._sessions = sessions
        self._records = records
        self._journal = journal
        self._directory = directory
        self._inner = inner
        self._jobs = Jobs(settings.root)
        self._numbers = count(1)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._collected = float("-inf")
        self._collecting: asyncio.Task[Any] | None = None

    @property
    def builds(self) -> int:
        """The number of builds under way."""
        return self._jobs.count

    # Solving

    async def Solve(self, request: SolveRequest, context: Context) -> control_pb2.SolveResponse:
        bridged = not request.Frontend and not request.HasField("Definition")
        job = await self._jobs.start(request.Ref, bridged=bridged)
        if job is None:
            await context.abort(grpc.StatusCode.UNKNOWN, f"job ID {request.Ref} exists")
            raise AssertionError
        running = Running()
        outcome = await self._wait_for(self._solve(request, job, running), running, context)
        return control_pb2.SolveResponse(ExporterResponse=outcome.response)

    async def Status(self, request: StatusRequest, context: Context) -> None:
        await context.send_initial_metadata(((_TIMESTAMP, _now()),))
        # A build under way comes before the record of an earlier one with its ref.
        job = self._jobs.now(request.Ref)
        if job is None and await self._records.replay(request.Ref, context.write):
            return
        job = job or await self._jobs.get(request.Ref, WAIT)
        if job is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no such job {request.Ref}")
            raise AssertionError
        async for message in job.messages():
            await context.write(message)

    async def Session(self, requests: AsyncIterator[BytesMessage], context: Context) -> None:
        taken = await self._sessions.serve(requests, context)
        if taken:
            await context.abort(grpc.StatusCode.ALREADY_EXISTS, f"session {taken} is open already")

    async def bridge(self, method: str, requests: AsyncIterator[bytes], context: Context) -> None:
        """Forward a call of LLBBridge to the worker of its build."""
        ref, name = only(context, BUILD_ID), method.rpartition("/")[2]
        if not ref:
            await context.abort(grpc.StatusCode.UNKNOWN, f"forwarding {name}: no buildid found in context")
        job = await self._jobs.get(ref, BRIDGE_WAIT)
        channel = None if job is None else await job.bridge()
        if channel is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"forwarding {name}: no such job {ref}")
            raise AssertionError
        await forward(channel, method, requests, context)

    async def _solve(self, request: SolveRequest, job: Job, running: Running) -> Outcome:
        if not request.Internal:
            await self._records.started(request)
        bridge = os.path.join(self._directory, f"b{next(self._numbers)}")
        task = {
            "kind": "solve",
            "request": request.SerializeToString(),
            "front": self._inner,
            "bridge": bridge,
        }

        async def on_event(event: tuple[Any, ...]) -> None:
            if event[0] == "status":
                await job.say(event[1])
                if not request.Internal:
                    await self._records.status(request.Ref, event[1])
            elif event[0] == "bridge":
                await job.serve(grpc.aio.insecure_channel(f"unix:{bridge}", CHANNEL))
            elif event[0] == "returned":
                await job.returned()

        try:
            outcome = await self._work(task, running, on_event)
            if not request.Internal:
                await self._records.completed(request.Ref, outcome)
        finally:
            # After the record is complete: who finds no job any more has to find the record.
            await self._jobs.end(job)
            if os.path.exists(bridge):
                os.unlink(bridge)
        self._collect()
        return outcome

    async def _work(self, task: dict[str, Any], running: Running, on_event: Any) -> Outcome:
        """Run a task in a worker of its own and return its outcome. `on_event` gets the events before the last."""
        try:
            worker = running.worker = await self._workers.fork()
        except WorkerLost as error:
            return Outcome(failure=status(13, str(error)))
        # The call may have ended while the fork was under way.
        if running.cancelled:
            worker.cancel()
        await worker.send(task)
        try:
            while (event := await worker.next()) is not None:
                if event[0] == "done":
                    return Outcome(event[1], event[2])
                if event[0] == "failed":
                    return Outcome(failure=event[1])
                if event[0] == "outlasting":
                    worker.spare()
                else:
                    await on_event(event)
        finally:
            worker.close()
            ended = await worker.ended
        if running.cancelled:
            return Outcome(failure=status(1, "context canceled"))
        return Outcome(failure=status(13, _death_message(ended)))

    # The store

    async def DiskUsage(self, request: DiskUsageRequest, context: Context) -> control_pb2.DiskUsageResponse:
        response = control_pb2.DiskUsageResponse()

        async def on_event(event: tuple[Any, ...]) -> None:
            response.record.add().ParseFromString(event[1])

        await self._store_task("usage", request.SerializeToString(), on_event, context)
        return response

    async def Prune(self, request: PruneRequest, context: Context) -> None:
        async def on_event(event: tuple[Any, ...]) -> None:
            await context.write(event[1])

        await self._store_task("prune", request.SerializeToString(), on_event, context)

    async def _store_task(self, kind: str, request: bytes, on_event: Any, context: Context) -> None:
        running = Running()
        await self._wait_for(
            self._work({"kind": kind, "request": request}, running, on_event), running, context
        )

    async def _wait_for(
        self, work: Coroutine[Any, Any, Outcome], running: Running, context: Context
    ) -> Outcome:
        """Wait for `work` on behalf of a call. A failure ends the call; a call that is gone cancels the work."""
        task = self._background(work)
        try:
            # Shielded: the call's end must not cut the work off before the worker has ended and is recorded.
            outcome: Outcome = await asyncio.shield(task)
        except asyncio.CancelledError:
            running.cancel()
            raise
        if outcome.failure is not None:
            await fail(context, outcome.failure)
        return outcome

    def _collect(self) -> None:
        """Collect garbage by the daemon's policies, some time after a Solve."""
        loop = asyncio.get_running_loop()
        if not self._settings.policies or loop.time() < self._collected + COLLECT_EVERY:
            return
        self._collected = loop.time()

        async def collect() -> None:
            await asyncio.sleep(1.0)

            async def on_event(event: tuple[Any, ...]) -> None: ...

            outcome = await self._work({"kind": "collect", "request": b""}, Running(), on_event)
            if outcome.failure is not None and not self._workers.lost.is_set():
                self._journal.warning(f"the store could not be cleaned up: {message_of(outcome.failure)}")

        self._collecting = self._background(collect())

    # What is known

    async def ListWorkers(
        self, request: ListWorkersRequest, context: Context
    ) -> control_pb2.ListWorkersResponse:
        record = worker_record(self._settings)
        matches = await self._records.worker_matches(list(request.filter), record, context)
        return control_pb2.ListWorkersResponse(record=[record] if matches else [])

    async def Info(self, request: InfoRequest, context: Context) -> control_pb2.InfoResponse:
        return control_pb2.InfoResponse(buildkitVersion=buildkit_version())

    async def ListenBuildHistory(self, request: BuildHistoryRequest, context: Context) -> None:
        await context.send_initial_metadata(((_TIMESTAMP, _now()),))
        await self._records.listen(request, context)

    async def UpdateBuildHistory(
        self, request: UpdateBuildHistoryRequest, context: Context
    ) -> control_pb2.UpdateBuildHistoryResponse:
        await self._records.update(request, context)
        return control_pb2.UpdateBuildHistoryResponse()

    async def close(self) -> None:
        """Wait for the background tasks; their workers are being ended."""
        if self._collecting is not None:
            self._collecting.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=0.5)

    def _background(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task that outlives the call that began it. The set keeps it from being garbage-collected."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_done)
        return task

    def _on_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._journal.error(f"{type(task.exception()).__name__}: {task.exception()}")


class Running:
    """The worker of a task, which can be cancelled before it has been forked."""

    def __init__(self) -> None:
        self.worker: Worker | None = None
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True
        if self.worker is not None:
            self.worker.cancel()


def _death_message(ended: int) -> str:
    how = f"was killed by signal {os.WTERMSIG(ended)}" if os.WIFSIGNALED(ended) else "ended"
    return f"the process that builds {how} without an answer"


def _now() -> str:
    """Return the time in RFC 3339 with nanoseconds, as Go writes it."""
    nanoseconds = time.time_ns()
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(nanoseconds // 1_000_000_000))
    return f"{seconds}.{nanoseconds % 1_000_000_000:09}Z"
