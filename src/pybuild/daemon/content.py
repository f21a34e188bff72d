"""containerd's Content service of the front process: clients read the blobs of the store and of the history."""

from __future__ import annotations

import asyncio
import os

import grpc

from pybuild.compiler.protos import content_pb2
from pybuild.daemon.services import service
from pybuild.lang.diagnostics import UserError
from pybuild.runtime.content.filters import parse_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from google.protobuf.empty_pb2 import Empty
    from google.protobuf.message import Message

    from pybuild.daemon.proxy import Context

CHUNK = 1 << 20
INFOS = 100
"""The most blobs in one answer of List."""
_HEX = frozenset("0123456789abcdef")


def handler(root: str) -> grpc.GenericRpcHandler:
    """Return the service for the store at `root`."""
    return service(content_pb2.DESCRIPTOR.services_by_name["Content"], Contents(root))


class Contents:
    """The methods of the service. A blob that is both in the store and in the history is listed once."""

    def __init__(self, root: str) -> None:
        self._places = tuple(os.path.join(root, *parts, "blobs", "sha256") for parts in ((), ("history",)))

    async def Info(self, request: content_pb2.InfoRequest, context: Context) -> content_pb2.InfoResponse:
        path = await self._blob_path(request.digest, context)
        try:
            return content_pb2.InfoResponse(info=_info(path))
        except FileNotFoundError:
            # It was pruned after it was looked for.
            await _missing(request.digest, context)
            # Never reached, here and below: abort raises, which its type doesn't say.
            raise AssertionError from None

    async def List(self, request: content_pb2.ListContentRequest, context: Context) -> None:
        try:
            holds = parse_all(request.filters)
        except UserError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            raise AssertionError from None
        infos = await asyncio.to_thread(lambda: list(self._infos()))
        matches = [info for info in infos if holds(lambda path, info=info: _field(info, path))]  # type: ignore[misc]
        for start in range(0, len(matches), INFOS):
            await context.write(content_pb2.ListContentResponse(info=matches[start : start + INFOS]))

    async def Read(self, request: content_pb2.ReadContentRequest, context: Context) -> None:
        path = await self._blob_path(request.digest, context)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            await _missing(request.digest, context)
            raise AssertionError from None
        try:
            length = os.fstat(fd).st_size
            end = request.offset + request.size if request.size else length
            if not 0 <= request.offset <= end <= length:
                await context.abort(grpc.StatusCode.OUT_OF_RANGE, f"read past object length {length} bytes")
            at = request.offset
            while data := await asyncio.to_thread(os.pread, fd, min(CHUNK, end - at), at):
                await context.write(content_pb2.ReadContentResponse(offset=at, data=data))
                at += len(data)
        finally:
            os.close(fd)

    async def Status(self, request: content_pb2.StatusRequest, context: Context) -> None:
        await context.abort(grpc.StatusCode.NOT_FOUND, f"ref {request.ref}: not found")

    async def ListStatuses(
        self, request: content_pb2.ListStatusesRequest, context: Context
    ) -> content_pb2.ListStatusesResponse:
        return content_pb2.ListStatusesResponse()

    async def Update(self, request: Message, context: Context) -> Empty:
        return await _refuse(context)

    async def Delete(self, request: Message, context: Context) -> Empty:
        return await _refuse(context)

    async def Abort(self, request: Message, context: Context) -> Empty:
        return await _refuse(context)

    async def Write(self, requests: AsyncIterator[Message], context: Context) -> Empty:
        return await _refuse(context)

    async def _blob_path(self, digest: str, context: Context) -> str:
        """Return the path of a blob. Aborts the call if there is none."""
        algorithm, _, value = digest.partition(":")
        if algorithm != "sha256" or len(value) != 64 or not set(value) <= _HEX:
            await context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, f'"{digest}" failed validation: invalid argument'
            )
        for place in self._places:
            path = os.path.join(place, value)
            if os.path.exists(path):
                return path
        await _missing(digest, context)
        raise AssertionError

    def _infos(self) -> Iterator[content_pb2.Info]:
        listed = set()
        for place in self._places:
            for name in _names(place):
                if len(name) == 64 and set(name) <= _HEX and name not in listed:
                    listed.add(name)
                    try:
                        yield _info(os.path.join(place, name))
                    except FileNotFoundError:
                        listed.discard(name)


def _info(path: str) -> content_pb2.Info:
    status = os.stat(path)
    info = content_pb2.Info(digest="sha256:" + os.path.basename(path), size=status.st_size)
    info.created_at.FromNanoseconds(status.st_mtime_ns)
    info.updated_at.FromNanoseconds(status.st_mtime_ns)
    return info


def _field(info: content_pb2.Info, path: Sequence[str]) -> str | None:
    if path[0] == "digest":
        return info.digest
    if path[0] == "size":
        return str(info.size)
    if path[0] == "labels":
        return info.labels.get(".".join(path[1:]))
    return None


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except FileNotFoundError:
        return []


async def _missing(digest: str, context: Context) -> None:
    await context.abort(grpc.StatusCode.NOT_FOUND, f"content {digest}: not found")


async def _refuse(context: Context) -> Empty:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, "read-only content store")
    raise AssertionError
