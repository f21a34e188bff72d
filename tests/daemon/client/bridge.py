"""A frontend's end of `moby.buildkit.v1.frontend.LLBBridge`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from google.protobuf.message import Message
from tests.daemon.client.calls import Calls
from tests.daemon.client.containers import Container
from tests.daemon.client.definitions import Graph, definition, platform
from tests.daemon.client.failure import status_of

from pybuild.compiler.protos import fsutil_pb2, gateway_pb2, ops_pb2, policy_pb2

M = TypeVar("M", bound=Message)

Result = gateway_pb2.Result


class Gateway:
    """The verbs, raising Failure. A *ref* is the id of a solved state, "" the empty one; `calls` is the service."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls

    def ping(self) -> gateway_pb2.PongResponse:
        return self.calls.call("Ping", gateway_pb2.PingRequest(), gateway_pb2.PongResponse)

    def inputs(self) -> dict[str, ops_pb2.Definition]:
        found = self.calls.call("Inputs", gateway_pb2.InputsRequest(), gateway_pb2.InputsResponse)
        return dict(found.Definitions)

    def solve(
        self,
        graph: Graph = None,
        *,
        frontend: str = "",
        options: Mapping[str, str] | None = None,
        inputs: Mapping[str, Graph] | None = None,
        evaluate: bool = False,
        cache_imports: Sequence[tuple[str, Mapping[str, str]]] = (),
        policies: Sequence[policy_pb2.Policy] = (),
    ) -> Result:
        """What came of it: one ref or refs by platform, and metadata."""
        request = gateway_pb2.SolveRequest(
            Definition=definition(graph) if not frontend or graph is not None else None,
            Frontend=frontend,
            FrontendOpt=options,
            FrontendInputs={name: definition(one) for name, one in (inputs or {}).items()},
            allowResultReturn=True,
            allowResultArrayRef=True,
            Evaluate=evaluate,
            CacheImports=[gateway_pb2.CacheOptionsEntry(Type=kind, Attrs=a) for kind, a in cache_imports],
            SourcePolicies=policies,
        )
        return self.calls.call("Solve", request, gateway_pb2.SolveResponse).result

    def ref(self, graph: Graph, *, evaluate: bool = False) -> str:
        """The ref of a graph's state."""
        return self.solve(graph, evaluate=evaluate).ref.id

    def read_file(self, ref: str, path: str, *, offset: int = 0, length: int = 0) -> bytes:
        """A file's bytes; with `offset` or `length` a part of them."""
        part = gateway_pb2.FileRange(Offset=offset, Length=length) if offset or length else None
        request = gateway_pb2.ReadFileRequest(Ref=ref, FilePath=path, Range=part)
        return self.calls.call("ReadFile", request, gateway_pb2.ReadFileResponse).Data

    def read_dir(self, ref: str, path: str = "/", pattern: str = "") -> list[fsutil_pb2.Stat]:
        request = gateway_pb2.ReadDirRequest(Ref=ref, DirPath=path, IncludePattern=pattern)
        return list(self.calls.call("ReadDir", request, gateway_pb2.ReadDirResponse).entries)

    def stat(self, ref: str, path: str) -> fsutil_pb2.Stat:
        request = gateway_pb2.StatFileRequest(Ref=ref, Path=path)
        return self.calls.call("StatFile", request, gateway_pb2.StatFileResponse).stat

    def evaluate(self, ref: str) -> None:
        self.calls.call("Evaluate", gateway_pb2.EvaluateRequest(Ref=ref), gateway_pb2.EvaluateResponse)

    def resolve_image_config(
        self, reference: str, *, mode: str = "", log_name: str = "", **fields: object
    ) -> gateway_pb2.ResolveImageConfigResponse:
        """`fields` are others of the request, by name."""
        request = gateway_pb2.ResolveImageConfigRequest(
            Ref=reference, Platform=platform(), ResolveMode=mode, LogName=log_name
        )
        for name, value in fields.items():
            setattr(request, name, value)
        return self.calls.call("ResolveImageConfig", request, gateway_pb2.ResolveImageConfigResponse)

    def resolve_source(
        self, identifier: str, attrs: Mapping[str, str] | None = None, **fields: object
    ) -> gateway_pb2.ResolveSourceMetaResponse:
        """What a source resolves to; `fields` are others of the request (`Image=…`, `Git=…`, `HTTP=…`)."""
        source = ops_pb2.SourceOp(identifier=identifier, attrs=attrs)
        request = gateway_pb2.ResolveSourceMetaRequest(Source=source, Platform=platform())
        for name, value in fields.items():
            if isinstance(value, Message):
                getattr(request, name).CopyFrom(value)
            else:
                setattr(request, name, value)
        return self.calls.call("ResolveSourceMeta", request, gateway_pb2.ResolveSourceMetaResponse)

    def warn(
        self,
        digest: str,
        short: bytes,
        *,
        level: int = 1,
        detail: Iterable[bytes] = (),
        url: str = "",
        info: ops_pb2.SourceInfo | None = None,
        ranges: Iterable[ops_pb2.Range] = (),
    ) -> None:
        """Have progress show a warning about the vertex `digest`."""
        request = gateway_pb2.WarnRequest(
            digest=digest, level=level, short=short, detail=detail, url=url, info=info, ranges=ranges
        )
        self.calls.call("Warn", request, gateway_pb2.WarnResponse)

    def container(self, mounts: Sequence[ops_pb2.Mount], **fields: object) -> Container:
        """A container over refs (`resultID` of a mount); `fields` are others of NewContainerRequest."""
        return Container(self.calls, mounts, **fields)

    def give_back(self, result: Result) -> None:
        """Return the build's result: the outer Solve goes on with it."""
        request = gateway_pb2.ReturnRequest(result=result)
        self.calls.call("Return", request, gateway_pb2.ReturnResponse)

    def give_up(self, error: Exception) -> None:
        """Return an error instead."""
        request = gateway_pb2.ReturnRequest(error=status_of(error))
        self.calls.call("Return", request, gateway_pb2.ReturnResponse)


def result(ref: str, metadata: Mapping[str, bytes] | None = None) -> Result:
    """A result of one state."""
    return Result(ref=gateway_pb2.Ref(id=ref), metadata=metadata)


def by_platform(refs: Mapping[str, str], metadata: Mapping[str, bytes] | None = None) -> Result:
    """One state a platform (`os/arch[/variant]`)."""
    told = []
    for id in refs:
        os, architecture, *variant = id.split("/")
        fields = {"os": os, "architecture": architecture, **({"variant": variant[0]} if variant else {})}
        told.append({"ID": id, "Platform": fields})
    known = {"refs.platforms": json.dumps({"Platforms": told}).encode(), **(metadata or {})}
    made = gateway_pb2.RefMap(refs={id: gateway_pb2.Ref(id=ref) for id, ref in refs.items()})
    return Result(refs=made, metadata=known)
