"""Sessions of clients: HTTP/2 connections inside `Control.Session`, in which the daemon is the client.

Workers call services of a session over the inner socket of the front process, one connection a call. Over it go
records: a byte for the kind, four for the length (big end first), and that many bytes.

    to the daemon   CALL   {"session": ID, "method": "/package.Service/Name", "metadata": [[name, value], …]} as JSON
                    DATA   messages, as gRPC frames them
                    END    no more of them; a connection that closes cancels the call
    to the worker   DATA   messages, as gRPC frames them, cut anywhere
                    END    {"code": number, "message": text, "details": base64} as JSON; {"lost": text} where there
                           is no such session

Without a method the answer is what the session offers: {"methods": […], "shared_key", "name", "id"}.
"""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import suppress

from pybuild.compiler.protos.control_pb2 import BytesMessage
from pybuild.daemon.grpcframes import OK, UNIMPLEMENTED, Status, request_headers, status_of
from pybuild.daemon.http2 import BadPeer, Connection
from pybuild.daemon.proxy import only
from pybuild.runtime.session.frontcalls import CALL, DATA, END, LONGEST, head

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Any

    from pybuild.daemon.http2 import Call
    from pybuild.daemon.proxy import Context

WAIT = 5.0
"""Seconds that a call waits for its session."""
EVERY = 5.0
SILENCE = 15.0
"""Seconds between health checks, and seconds without an answer after which a session is dropped."""
SMALL, FEW, MOMENT = 4096, 64, 0.001
"""A piece of fewer bytes than SMALL is small; after FEW small pieces the next ones wait a MOMENT (seconds) for
others."""
BUFFER = 1 << 20
"""Bytes from a worker that may wait."""
_HEADER = "x-docker-expose-session-"
_HEALTH = "/grpc.health.v1.Health/Check"
_EMPTY_MESSAGE = bytes(5)


class ClientSession:
    """An open session. `methods` are the paths of the methods that the client offers."""

    def __init__(self, context: Context) -> None:
        self.id = only(context, _HEADER + "uuid")
        self.name = only(context, _HEADER + "name")
        self.shared_key = only(context, _HEADER + "sharedkey")
        self.methods = [
            str(value) for key, value in context.invocation_metadata() or () if key == _HEADER + "grpc-method"
        ]
        self.connection = Connection()

    def facts(self) -> dict[str, object]:
        """Return what a worker may know of the session."""
        return {"methods": self.methods, "shared_key": self.shared_key, "name": self.name, "id": self.id}


class Sessions:
    """The sessions of all clients, by ID. Close it."""

    def __init__(self) -> None:
        self._open: dict[str, ClientSession] = {}
        self._changed = asyncio.Condition()
        self._inner: asyncio.Server | None = None

    async def listen(self, path: str) -> None:
        """Listen for workers at a unix socket."""
        self._inner = await asyncio.start_unix_server(self._answer, path, limit=BUFFER)

    async def serve(self, requests: AsyncIterator[BytesMessage], context: Context) -> str:
        """Serve a `Control.Session` call until the connection or the client ends, and return "". A session with the
        ID of an open one would be asked for that one's files and sent its results: it isn't served, and the ID is
        returned."""
        session = ClientSession(context)
        async with self._changed:
            if session.id in self._open:
                return session.id
            self._open[session.id] = session
            self._changed.notify_all()
        tasks = [
            asyncio.create_task(_inward(requests, session.connection)),
            asyncio.create_task(_outward(session.connection, context)),
            asyncio.create_task(_watch(session.connection)),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            del self._open[session.id]
            session.connection.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return ""

    async def get(self, id: str) -> ClientSession | None:
        """Return a session, waiting up to WAIT seconds for it; None if there is none. A prefix up to a colon is no
        part of the ID: it only tells vertices apart."""
        _, colon, session_id = id.partition(":")
        id = session_id if colon and session_id else id

        async def opened() -> ClientSession:
            async with self._changed:
                await self._changed.wait_for(lambda: id in self._open)
                return self._open[id]

        try:
            return await asyncio.wait_for(opened(), WAIT)
        except TimeoutError:
            return None

    @property
    def count(self) -> int:
        """The number of open sessions."""
        return len(self._open)

    def close(self) -> None:
        """Stop listening. Idempotent."""
        if self._inner is not None:
            self._inner.close()

    # Workers

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection from a worker: one call."""
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                kind, call_data = await _record(reader)
                if kind == CALL:
                    await self._carry_out(json.loads(call_data), reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _carry_out(
        self, call_facts: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        session = await self.get(call_facts["session"])
        if session is None:
            missing = f"no active session for {call_facts['session']}: context deadline exceeded"
            await _end(writer, {"lost": missing})
        elif not call_facts["method"]:
            await _end(writer, session.facts())
        else:
            headers = request_headers(
                call_facts["method"], [(name, value) for name, value in call_facts["metadata"]]
            )
            call = session.connection.call(headers)
            pusher = asyncio.create_task(_push(reader, call))
            try:
                await _deliver(call, writer)
                await _end(writer, _status_facts(status_of(call)))
            finally:
                call.cancel()
                pusher.cancel()
                await asyncio.gather(pusher, return_exceptions=True)


async def _deliver(call: Call, writer: asyncio.StreamWriter) -> None:
    """Send a client's answer to the worker. Many small pieces are gathered for a moment: each would wake the
    worker."""
    small = 0
    while data := await call.receive():
        writer.write(head(DATA, len(data)) + data)
        await writer.drain()
        small = small + 1 if len(data) < SMALL else 0
        if small > FEW:
            await asyncio.sleep(MOMENT)


async def _push(reader: asyncio.StreamReader, call: Call) -> None:
    """Send a worker's messages to the client. A connection that ends without END cancels the call."""
    try:
        while True:
            kind, data = await _record(reader)
            if kind == DATA:
                await call.send(data)
            elif kind == END:
                await call.send(b"", end=True)
    except (OSError, asyncio.IncompleteReadError):
        call.cancel()


async def _record(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    start = await reader.readexactly(5)
    length = int.from_bytes(start[1:], "big")
    if length > LONGEST:
        raise OSError(f"a record of {length} bytes")
    return start[0], await reader.readexactly(length)


async def _end(writer: asyncio.StreamWriter, facts: dict[str, object]) -> None:
    data = json.dumps(facts).encode()
    writer.write(head(END, len(data)) + data)
    await writer.drain()


def _status_facts(status: Status) -> dict[str, object]:
    return {
        "code": status.code,
        "message": status.message,
        "details": base64.b64encode(status.details).decode("ascii"),
    }


async def _inward(requests: AsyncIterator[BytesMessage], connection: Connection) -> None:
    with suppress(BadPeer):
        async for message in requests:
            await connection.feed(message.data)


async def _outward(connection: Connection, context: Context) -> None:
    async for data in connection.outgoing():
        await context.write(BytesMessage(data=data))


async def _watch(connection: Connection) -> None:
    """Return when the client has not answered health checks for SILENCE seconds. A client without the health
    service answers too: with UNIMPLEMENTED."""
    while True:
        await asyncio.sleep(EVERY)
        call = connection.call(request_headers(_HEALTH))
        try:
            async with asyncio.timeout(SILENCE):
                await call.send(_EMPTY_MESSAGE, end=True)
                while await call.receive():
                    pass
        except TimeoutError:
            return
        if status_of(call).code not in (OK, UNIMPLEMENTED):
            return
