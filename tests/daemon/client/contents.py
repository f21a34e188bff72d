"""A content store in the client: containerd's Content service over blobs in memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import grpc
from attrs import define, field
from google.protobuf.empty_pb2 import Empty
from tests.daemon.client.serving import Context, Offer, metadata

from pybuild.compiler.protos import content_pb2

STORE = "buildkit-attachable-store-id"
"""Metadata that names the store of a call."""

_CHUNK = 1 << 20


@define
class Blobs:
    """Blobs and their labels by digest; `index` is that of the layout they came from."""

    blobs: dict[str, bytes] = field(factory=dict)
    labels: dict[str, dict[str, str]] = field(factory=dict)
    index: dict[str, object] = field(factory=dict)

    @staticmethod
    def of_layout(path: Path) -> Blobs:
        """Those of an OCI layout directory."""
        blobs = {f"sha256:{one.name}": one.read_bytes() for one in (path / "blobs" / "sha256").iterdir()}
        return Blobs(blobs, index=json.loads((path / "index.json").read_bytes()))

    def add(self, data: bytes) -> str:
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.blobs[digest] = data
        return digest


class Stores:
    """Stores by the name that the daemon calls them. `read` are the digests it read."""

    def __init__(self, stores: Mapping[str, Blobs]) -> None:
        self._stores = stores
        self.read: list[str] = []
        self._parts: dict[str, bytes] = {}

    def offer(self) -> Offer:
        return Offer(
            content_pb2.DESCRIPTOR.services_by_name["Content"],
            {
                "Info": self._info,
                "Update": self._update,
                "List": self._list,
                "Delete": self._delete,
                "Read": self._read,
                "Status": self._status,
                "ListStatuses": self._statuses,
                "Write": self._write,
                "Abort": self._abort,
            },
        )

    def _store(self, context: Context) -> Blobs:
        name = metadata(context).get(STORE, [""])[0]
        if name not in self._stores:
            context.abort(grpc.StatusCode.NOT_FOUND, f"no store {name!r}")
        return self._stores[name]

    def _found(self, digest: str, context: Context) -> bytes:
        found = self._store(context).blobs.get(digest)
        if found is None:
            context.abort(grpc.StatusCode.NOT_FOUND, f"content {digest}: not found")
            raise AssertionError
        return found

    def _info(self, request: content_pb2.InfoRequest, context: Context) -> content_pb2.InfoResponse:
        size = len(self._found(request.digest, context))
        labels = self._store(context).labels.get(request.digest, {})
        return content_pb2.InfoResponse(info={"digest": request.digest, "size": size, "labels": labels})

    def _update(self, request: content_pb2.UpdateRequest, context: Context) -> content_pb2.UpdateResponse:
        self._found(request.info.digest, context)
        labels = self._store(context).labels.setdefault(request.info.digest, {})
        labels.update(request.info.labels)
        return content_pb2.UpdateResponse(info=request.info)

    def _list(self, _: object, context: Context) -> Iterator[content_pb2.ListContentResponse]:
        infos = [
            content_pb2.Info(digest=digest, size=len(data))
            for digest, data in self._store(context).blobs.items()
        ]
        yield content_pb2.ListContentResponse(info=infos)

    def _delete(self, request: content_pb2.DeleteContentRequest, context: Context) -> Empty:
        self._found(request.digest, context)
        del self._store(context).blobs[request.digest]
        return Empty()

    def _read(
        self, request: content_pb2.ReadContentRequest, context: Context
    ) -> Iterator[content_pb2.ReadContentResponse]:
        data = self._found(request.digest, context)
        self.read.append(request.digest)
        end = request.offset + request.size if request.size else len(data)
        for at in range(request.offset, min(end, len(data)), _CHUNK):
            part = data[at : min(at + _CHUNK, end)]
            yield content_pb2.ReadContentResponse(offset=at, data=part)

    def _status(self, request: content_pb2.StatusRequest, context: Context) -> content_pb2.StatusResponse:
        if request.ref not in self._parts:
            context.abort(grpc.StatusCode.NOT_FOUND, f"ref {request.ref}: not found")
        offset = len(self._parts[request.ref])
        return content_pb2.StatusResponse(status={"ref": request.ref, "offset": offset})

    def _statuses(self, _: object, context: Context) -> content_pb2.ListStatusesResponse:
        found = [content_pb2.Status(ref=ref, offset=len(part)) for ref, part in self._parts.items()]
        return content_pb2.ListStatusesResponse(statuses=found)

    def _abort(self, request: content_pb2.AbortRequest, context: Context) -> Empty:
        self._parts.pop(request.ref, None)
        return Empty()

    def _write(
        self, requests: Iterator[content_pb2.WriteContentRequest], context: Context
    ) -> Iterator[content_pb2.WriteContentResponse]:
        store, ref = self._store(context), ""
        for request in requests:
            ref = request.ref or ref
            part = self._parts.setdefault(ref, b"")
            if request.expected in store.blobs:
                context.abort(grpc.StatusCode.ALREADY_EXISTS, f"content {request.expected}: already exists")
            if request.data:
                part = self._parts[ref] = part[: request.offset] + request.data
            answer = content_pb2.WriteContentResponse(
                action=request.action, offset=len(part), total=request.total
            )
            if request.action == content_pb2.COMMIT:
                answer.digest = store.add(self._parts.pop(ref))
                store.labels[answer.digest] = dict(request.labels)
                if request.expected not in ("", answer.digest):
                    context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"unexpected commit {answer.digest}")
            elif request.action == content_pb2.STAT:
                answer.digest = "sha256:" + hashlib.sha256(part).hexdigest()
            yield answer
