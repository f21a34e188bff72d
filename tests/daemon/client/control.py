"""`moby.buildkit.v1.Control`, and the other services of a daemon, as methods."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import grpc
from grpc_health.v1 import health_pb2
from tests.daemon.client.bridge import Gateway
from tests.daemon.client.calls import Answers, Calls, Pending

from pybuild.compiler.protos import content_pb2, control_pb2, gateway_pb2, worker_pb2

if TYPE_CHECKING:
    from tests.daemon.client.serving import Offer
    from tests.daemon.client.sessions import Session

BUILD_ID = "buildkit-controlapi-buildid"


class Daemon:
    """A connection to a daemon; close it, or use it as a context. `calls` is the Control service itself."""

    def __init__(
        self, channel: grpc.Channel, address: str = "", then: Callable[[], None] = lambda: None
    ) -> None:
        self.channel = channel
        self.address = address
        self.calls = Calls(channel, control_pb2.DESCRIPTOR.services_by_name["Control"])
        self.content = Calls(channel, content_pb2.DESCRIPTOR.services_by_name["Content"])
        self._health = Calls(channel, health_pb2.DESCRIPTOR.services_by_name["Health"])
        self._then = then

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.channel.close()
        self._then()

    # Control

    def solve(
        self, request: control_pb2.SolveRequest, timeout: float = 120.0
    ) -> Pending[control_pb2.SolveResponse]:
        """Begin a Solve. `solving.solve` does all that belongs to one."""
        return self.calls.future("Solve", request, control_pb2.SolveResponse, timeout=timeout)

    def status(self, ref: str, timeout: float = 120.0) -> Answers[control_pb2.StatusResponse]:
        request = control_pb2.StatusRequest(Ref=ref)
        return self.calls.answers("Status", request, control_pb2.StatusResponse, timeout=timeout)

    def session(self, *offers: Offer, shared_key: str = "", name: str = "", id: str = "") -> Session:
        """A session that offers these services, open until it is closed; it is a context."""
        from tests.daemon.client.sessions import Session

        return Session(self, offers, shared_key=shared_key, name=name, id=id)

    def list_workers(self, filters: Iterable[str] = ()) -> list[worker_pb2.WorkerRecord]:
        request = control_pb2.ListWorkersRequest(filter=filters)
        return list(self.calls.call("ListWorkers", request, control_pb2.ListWorkersResponse).record)

    def info(self) -> worker_pb2.BuildkitVersion:
        found = self.calls.call("Info", control_pb2.InfoRequest(), control_pb2.InfoResponse)
        return found.buildkitVersion

    def disk_usage(self, filters: Iterable[str] = (), age_limit: int = 0) -> list[control_pb2.UsageRecord]:
        request = control_pb2.DiskUsageRequest(filter=filters, ageLimit=age_limit)
        return list(self.calls.call("DiskUsage", request, control_pb2.DiskUsageResponse).record)

    def prune(
        self,
        filters: Iterable[str] = (),
        *,
        all: bool = False,
        keep_duration: int = 0,
        reserved_space: int = 0,
        max_used_space: int = 0,
        min_free_space: int = 0,
    ) -> list[control_pb2.UsageRecord]:
        """What was removed. `keep_duration` is in nanoseconds."""
        request = control_pb2.PruneRequest(
            filter=filters,
            all=all,
            keepDuration=keep_duration,
            reservedSpace=reserved_space,
            maxUsedSpace=max_used_space,
            minFreeSpace=min_free_space,
        )
        return list(self.calls.answers("Prune", request, control_pb2.UsageRecord))

    def history(
        self,
        ref: str = "",
        *,
        early_exit: bool = True,
        active_only: bool = False,
        filters: Iterable[str] = (),
        limit: int = 0,
    ) -> Iterator[control_pb2.BuildHistoryEvent]:
        """Events of the history; with `early_exit` those there are, else also those to come."""
        request = control_pb2.BuildHistoryRequest(
            Ref=ref, EarlyExit=early_exit, ActiveOnly=active_only, Filter=filters, Limit=limit
        )
        return self.calls.answers("ListenBuildHistory", request, control_pb2.BuildHistoryEvent)

    def update_history(
        self, ref: str, *, pinned: bool = False, delete: bool = False, finalize: bool = False
    ) -> None:
        request = control_pb2.UpdateBuildHistoryRequest(
            Ref=ref, Pinned=pinned, Delete=delete, Finalize=finalize
        )
        self.calls.call("UpdateBuildHistory", request, control_pb2.UpdateBuildHistoryResponse)

    def gateway(self, ref: str) -> Gateway:
        """The bridge of the build `ref`, whose frontend is in this client."""
        service = gateway_pb2.DESCRIPTOR.services_by_name["LLBBridge"]
        return Gateway(Calls(self.channel, service, [(BUILD_ID, ref)]))

    # Beside Control

    def health(self, service: str = "") -> int:
        request = health_pb2.HealthCheckRequest(service=service)
        return int(self._health.call("Check", request, health_pb2.HealthCheckResponse).status)

    def contents(self) -> list[content_pb2.Info]:
        """The blobs the daemon stores."""
        request = content_pb2.ListContentRequest()
        answers = self.content.answers("List", request, content_pb2.ListContentResponse)
        return [info for answer in answers for info in answer.info]

    def blob(self, digest: str, offset: int = 0, size: int = 0) -> bytes:
        request = content_pb2.ReadContentRequest(digest=digest, offset=offset, size=size)
        answers = self.content.answers("Read", request, content_pb2.ReadContentResponse)
        return b"".join(answer.data for answer in answers)

    def clear(self) -> None:
        """Delete the record of each build that has ended, then all that can be pruned."""
        ended = {event.record.Ref for event in self.history() if event.type == control_pb2.COMPLETE}
        for ref in sorted(ended):
            self.update_history(ref, delete=True)
        self.prune(all=True)
