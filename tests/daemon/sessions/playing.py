"""Sessions without a daemon: those of the front process, with clients that are gRPC servers of this process; and
senders without a wire."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message
from tests.daemon.client.serving import Offer
from tests.daemon.client.sockets import Directory
from tests.daemon.client.treefilter import Filter
from tests.daemon.client.treesender import Change, Sent, send

from pybuild.compiler.protos import control_pb2, fspackets_pb2, fsutil_pb2
from pybuild.daemon import sessions as served
from pybuild.runtime.session.calls import Session, SessionLost, Sessions, Stream
from pybuild.runtime.session.frontcalls import FrontSession, FrontSessions

M = TypeVar("M", bound=Message)
PIECE = 1 << 15


class Clients(Sessions):
    """Sessions by ID."""

    def __init__(self) -> None:
        self.open: dict[str, Session] = {}

    def get(self, id: str) -> Session:
        if id not in self.open:
            raise SessionLost(f"no active session for {id}: context deadline exceeded")
        return self.open[id]

    def close(self) -> None:
        self.open.clear()


class Front:
    """The part of a front process that has to do with sessions, in a thread of its own."""

    def __init__(self) -> None:
        self._directory = Directory()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._servers: list[grpc.Server] = []
        self._tasks: dict[str, Future[None]] = {}
        self._sessions = self.run(self._begin())
        self.calls = FrontSessions(self._directory.socket("front"))

    def open(self, offers: Sequence[Offer], id: str, shared_key: str = "") -> FrontSession:
        """A session, as a worker has it."""
        path = self._directory.socket(f"client{len(self._servers)}")
        server = grpc.server(ThreadPoolExecutor(16))
        server.add_generic_rpc_handlers([offer.handler() for offer in offers])
        server.add_insecure_port(f"unix:{path}")
        server.start()
        self._servers.append(server)
        told = [("uuid", id), ("sharedkey", shared_key)]
        told += [("grpc-method", method) for offer in offers for method in offer.paths]
        metadata = [(f"x-docker-expose-session-{name}", value) for name, value in told]
        self._tasks[id] = asyncio.run_coroutine_threadsafe(self._serve(path, metadata), self._loop)
        return self.calls.get(id)

    def end(self, id: str) -> None:
        """The client is gone."""
        self._tasks[id].cancel()

    def run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def close(self) -> None:
        self.calls.close()
        for id in self._tasks:
            self.end(id)
        self.run(self._finish())
        for server in self._servers:
            server.stop(0).wait(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        self._directory.close()

    async def _begin(self) -> served.Sessions:
        sessions = served.Sessions()
        await sessions.listen(self._directory.socket("front"))
        return sessions

    async def _finish(self) -> None:
        for _ in range(3):  # what has just been accepted, too; transports close a moment after their tasks
            others = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.wait(others, timeout=5) if others else None
            await asyncio.sleep(0.01)
        self._sessions.close()

    async def _serve(self, path: str, metadata: list[tuple[str, str]]) -> None:
        reader, writer = await asyncio.open_unix_connection(path)

        async def requests() -> AsyncIterator[control_pb2.BytesMessage]:
            with suppress(OSError):
                while data := await reader.read(PIECE):
                    yield control_pb2.BytesMessage(data=data)

        try:
            await self._sessions.serve(requests(), _Context(metadata, writer))
        finally:
            writer.close()


class _Context:
    """What a session wants of the gRPC call that it lives in."""

    def __init__(self, metadata: list[tuple[str, str]], writer: asyncio.StreamWriter) -> None:
        self._metadata = metadata
        self._writer = writer

    def invocation_metadata(self) -> list[tuple[str, str]]:
        return self._metadata

    async def write(self, message: control_pb2.BytesMessage) -> None:
        self._writer.write(message.data)
        await self._writer.drain()


class Playing(Session):
    """A client of this process, which has one method: a stream."""

    id = "playing"
    shared_key = ""

    def offers(self, method: str) -> bool:
        return True

    def call(self, method: str, request: Message, response: type[M], **_: object) -> M:
        raise AssertionError(method)


class Sender(Playing):
    """A client that offers one directory, whatever it is asked for. `sent` are its transfers."""

    def __init__(self, root: Path, change: Change = lambda said: None) -> None:
        self._root = root
        self._change = change
        self.sent: list[Sent] = []

    def stream(
        self, method: str, requests: Iterable[Message], response: type[Message], **_: object
    ) -> Stream:
        sent = Sent()
        self.sent.append(sent)
        received = (fsutil_pb2.Packet.FromString(one.SerializeToString()) for one in requests)
        return Packets(send(self._root, received, Filter(), self._change, sent))


class Script(Playing):
    """A client that says what it was told to say, whatever it hears."""

    def __init__(self, *packets: Message) -> None:
        self._packets = packets

    def stream(
        self, method: str, requests: Iterable[Message], response: type[Message], **_: object
    ) -> Stream:
        return Packets(iter(self._packets))


class Packets(Stream):
    """The answers of a call, encoded and decoded again."""

    def __init__(self, packets: Iterable[Message]) -> None:
        self._packets = packets

    def __iter__(self) -> Iterator[Message]:
        decode: Callable[[bytes], Message] = fspackets_pb2.Packet.FromString
        return (decode(one.SerializeToString()) for one in self._packets)

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        pass
