"""The bridge on the wire: `moby.buildkit.v1.frontend.LLBBridge` as gRPC on a unix socket, for one frontend.

A frontend's container has the socket as its standard streams; a client's calls are passed on to it by the daemon.
Needs the extra `pybuild[buildkit]`.
"""

from __future__ import annotations

import json
from base64 import b64decode
from contextlib import contextmanager

from attrs import evolve

from pybuild.compiler.gateway import FrontendWarning, Result
from pybuild.compiler.llb.messages import definition_message
from pybuild.compiler.protos import gateway_pb2 as pb
from pybuild.lang.diagnostics import Cancelled, Label, UserError
from pybuild.runtime.bridge import caps, results
from pybuild.runtime.bridge.containers import Containers
from pybuild.runtime.bridge.outcome import Outcome
from pybuild.runtime.bridge.refs import Refs
from pybuild.runtime.bridge.sourcemessages import (
    config_of,
    image_of,
    response_of,
    source_of,
    wanted_config,
    wanted_of,
)
from pybuild.runtime.bridge.stats import stat_of
from pybuild.runtime.bridge.statuses import (
    INVALID,
    CallRefused,
    SolveFailed,
    SourceFailed,
    error_of,
    status_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from google.rpc.status_pb2 import Status

    from pybuild.compiler.protos.worker_pb2 import WorkerRecord
    from pybuild.runtime.bridge.gateway import Gateway
    from pybuild.runtime.solver.types import Cancellation


class AlreadyReturned(UserError):
    def __init__(self) -> None:
        super().__init__("gateway result is already set")


def serve(gateway: Gateway, path: str, *, worker: WorkerRecord | None = None) -> Served:
    """Serve one frontend's calls on a unix socket at `path`, in a directory that only this user can enter,
    until `stop`. `worker` describes this builder to the frontend. Raises OSError."""
    return Served(Service(gateway, worker), path)


class Served:
    """A running service of one frontend. Thread-safe. `finish` ends its containers and calls, `stop` also
    closes the socket."""

    def __init__(self, service: Service, path: str) -> None:
        from pybuild.runtime.bridge.server import Server

        self.outcome = service.outcome
        self._service = service
        descriptor = pb.DESCRIPTOR.services_by_name["LLBBridge"]
        self._server = Server(path, descriptor, service, service.status_of)

    def returned(self) -> Result | UserError | None:
        """Return the frontend's result or error; None until there is one."""
        return self.outcome.value

    def on_return(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` once the frontend has returned. Returns a function that removes it."""
        return self.outcome.on_set(callback)

    def finish(self) -> None:
        """End its containers and calls. Answers can be read as long as the process lives. Idempotent."""
        self._service.close()
        self._server.finish()

    def stop(self) -> None:
        """End its containers and calls, and the socket. Idempotent."""
        self.finish()
        self._server.stop()


class Service:
    """The methods of LLBBridge, by their names. Each gets the call's own cancellation and may raise
    UserError."""

    def __init__(self, gateway: Gateway, worker: WorkerRecord | None) -> None:
        self.refs = Refs()
        self.outcome = Outcome()
        self._gateway = gateway
        self._worker = worker
        self._containers = Containers(gateway, self.refs)

    def status_of(self, error: BaseException) -> Status:
        """Encode an error for the frontend, which may mount the states that a failed step left."""
        return status_of(error, register=self.refs.keep)

    def close(self) -> None:
        """End all containers. Idempotent."""
        self._containers.close()

    # Solving

    def Ping(self, request: pb.PingRequest, cancellation: Cancellation) -> pb.PongResponse:
        return pb.PongResponse(
            FrontendAPICaps=caps.frontend_caps(),
            LLBCaps=caps.llb_caps(),
            Workers=[self._worker] if self._worker is not None else [],
        )

    def Inputs(self, request: pb.InputsRequest, cancellation: Cancellation) -> pb.InputsResponse:
        definitions = {name: definition_message(edge) for name, edge in self._gateway.inputs.items()}
        return pb.InputsResponse(Definitions=definitions)

    def Solve(self, request: pb.SolveRequest, cancellation: Cancellation) -> pb.SolveResponse:
        self._gateway.import_caches([(one.Type, one.Attrs) for one in request.CacheImports])
        decoded = results.request_of(request)
        try:
            result = self._gateway.solve(decoded, cancellation)
        except Cancelled:
            raise
        except UserError as error:
            raise SolveFailed(error) from None
        if result.edges and not request.allowResultReturn:
            raise UserError("solve did not return default result")
        message = results.message_of(result, request, self.refs)
        if request.Final:
            self.outcome.set(_finished(result, request.ExporterAttr))
        id = "" if request.allowResultReturn else message.refDeprecated or message.ref.id
        return pb.SolveResponse(ref=id, result=message)

    def Evaluate(self, request: pb.EvaluateRequest, cancellation: Cancellation) -> pb.EvaluateResponse:
        self._gateway.evaluate(self.refs.read(request.Ref), cancellation)
        return pb.EvaluateResponse()

    def Return(self, request: pb.ReturnRequest, cancellation: Cancellation) -> pb.ReturnResponse:
        if request.HasField("error"):
            value: Result | UserError = error_of(request.error)
        elif request.HasField("result"):
            value = results.result_of(request.result, self.refs)
        else:
            raise UserError("gateway return must be either result or err")
        if not self.outcome.set(value):
            raise AlreadyReturned
        return pb.ReturnResponse()

    # Reading

    def ReadFile(self, request: pb.ReadFileRequest, cancellation: Cancellation) -> pb.ReadFileResponse:
        within = request.HasField("Range")
        data = self._gateway.read_file(
            self.refs.read(request.Ref),
            request.FilePath,
            offset=max(request.Range.Offset, 0),
            length=max(request.Range.Length, 0) if within else None,
            cancellation=cancellation,
        )
        return pb.ReadFileResponse(Data=data)

    def ReadDir(self, request: pb.ReadDirRequest, cancellation: Cancellation) -> pb.ReadDirResponse:
        edge = self.refs.read(request.Ref)
        nodes = self._gateway.read_dir(edge, request.DirPath, request.IncludePattern, cancellation)
        return pb.ReadDirResponse(entries=map(stat_of, nodes))

    def StatFile(self, request: pb.StatFileRequest, cancellation: Cancellation) -> pb.StatFileResponse:
        node = self._gateway.stat(self.refs.read(request.Ref), request.Path, cancellation)
        return pb.StatFileResponse(stat=stat_of(node))

    # Sources

    def ResolveImageConfig(
        self, request: pb.ResolveImageConfigRequest, cancellation: Cancellation
    ) -> pb.ResolveImageConfigResponse:
        op = image_of(request)
        name = op.identifier.partition("://")[2]
        with _about(op.identifier, f"failed to resolve source metadata for {name}: "):
            metadata = self._gateway.resolve_source_metadata(
                op, wanted_config(request), cancellation, _encoded(request.SourcePolicies)
            )
        if metadata.image is None:
            raise UserError(f"ref mutated by policy to non-image: {name} -> {metadata.op.identifier}")
        return config_of(metadata, metadata.image.digest, metadata.image.config)

    def ResolveSourceMeta(
        self, request: pb.ResolveSourceMetaRequest, cancellation: Cancellation
    ) -> pb.ResolveSourceMetaResponse:
        if not request.HasField("Source"):
            raise CallRefused(INVALID, "source is required")
        op, wanted = source_of(request.Source), wanted_of(request)
        with _about(op.identifier):
            metadata = self._gateway.resolve_source_metadata(
                op, wanted, cancellation, _encoded(request.SourcePolicies)
            )
        return response_of(metadata, wanted)

    def Warn(self, request: pb.WarnRequest, cancellation: Cancellation) -> pb.WarnResponse:
        from pybuild.compiler.protos.errdefs_pb2 import Source
        from pybuild.runtime.bridge.details import spans_of

        spans = spans_of(Source(info=request.info, ranges=request.ranges))
        warning = FrontendWarning(
            request.short.decode("utf-8", "replace"),
            request.level,
            labels=[Label(span, primary=number == 0) for number, span in enumerate(spans)],
            notes=[("note", one.decode("utf-8", "replace")) for one in request.detail],
            url=request.url,
        )
        self._gateway.warn(warning, request.digest)
        return pb.WarnResponse()

    # Containers

    def NewContainer(
        self, request: pb.NewContainerRequest, cancellation: Cancellation
    ) -> pb.NewContainerResponse:
        self._containers.new(request, cancellation)
        return pb.NewContainerResponse()

    def ReleaseContainer(
        self, request: pb.ReleaseContainerRequest, cancellation: Cancellation
    ) -> pb.ReleaseContainerResponse:
        self._containers.release(request.ContainerID)
        return pb.ReleaseContainerResponse()

    def ExecProcess(
        self, incoming: Iterator[pb.ExecMessage], cancellation: Cancellation
    ) -> Iterator[pb.ExecMessage]:
        return self._containers.exec(incoming, cancellation, self.status_of)

    def ReadFileContainer(
        self, request: pb.ReadFileRequest, cancellation: Cancellation
    ) -> pb.ReadFileResponse:
        return pb.ReadFileResponse(Data=self._containers.read_file(request))

    def ReadDirContainer(self, request: pb.ReadDirRequest, cancellation: Cancellation) -> pb.ReadDirResponse:
        return pb.ReadDirResponse(entries=self._containers.read_dir(request))

    def StatFileContainer(
        self, request: pb.StatFileRequest, cancellation: Cancellation
    ) -> pb.StatFileResponse:
        return pb.StatFileResponse(stat=self._containers.stat(request))


def _finished(result: Result, attributes: bytes) -> Result:
    """Return the result for a frontend that is older than Return and sends `Final` with its last Solve.
    Raises UserError."""
    try:
        given = {name: b64decode(value) for name, value in json.loads(attributes).items()}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"the exporter attributes are not JSON of names and values: {error}") from None
    metadata: Any = {**given, **result.metadata}
    return evolve(result, metadata=metadata)


@contextmanager
def _about(identifier: str, title: str = "") -> Iterator[None]:
    """Mark an error as one about a source; `title` is put before its message."""
    try:
        yield
    except Cancelled:
        raise
    except UserError as error:
        raise SourceFailed(error, identifier, title) from None


def _encoded(policies: Sequence[Any]) -> tuple[bytes, ...]:
    return tuple(one.SerializeToString() for one in policies)
