"""Sessions of clients as a worker sees them: calls go through the daemon's front process, which holds the
connections.

Each call opens a connection to the front process's socket. The records on it are a byte for the kind, four bytes for
the length, and the data, as `pybuild.daemon.sessions` describes.
"""

from __future__ import annotations

import json
import socket
import struct
import threading

from pybuild.runtime.session.calls import (
    CANCELLED,
    UNAVAILABLE,
    CallFailed,
    Session,
    SessionLost,
    Sessions,
    Stream,
)
from pybuild.runtime.session.listening import shut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from google.protobuf.message import Message

    from pybuild.runtime.session.calls import M, Metadata

CALL, DATA, END = b"cde"
LONGEST = 1 << 30
"""Most bytes of a record."""
CHUNK = 1 << 18
DEADLINE, INTERNAL = 4, 13
LONGEST_WAIT = 10.0
"""Seconds in which the front process has to list a session's methods; it waits half of that for the session."""
_HEAD = struct.Struct(">BI")
_AGAIN = "the client went away, or its connection broke: build again"


def head(kind: int, length: int) -> bytes:
    """Return the header of a record."""
    return _HEAD.pack(kind, length)


def lost(id: str, detail: str = "context canceled") -> SessionLost:
    """Return the error for a session that is gone, in BuildKit's words."""
    return SessionLost(f"no active session for {id}: {detail}", help=_AGAIN)


class FrontSessions(Sessions):
    """The sessions behind the front process's socket at `path`. Thread-safe. Close it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._known: dict[str, FrontSession] = {}
        self._guard = threading.Lock()
        self._open: set[socket.socket] | None = set()

    def get(self, id: str) -> FrontSession:
        """Return a session, see `Sessions`. Its methods are requested once."""
        with self._guard:
            known = self._known.get(id)
        if known is None:
            # Without the lock, as this waits seconds for a session that does not exist.
            known = self._find(id)
            with self._guard:
                # Another thread may have found it meanwhile: all use the first.
                known = self._known.setdefault(id, known)
        return known

    def close(self) -> None:
        """End all calls, and refuse others. Idempotent."""
        with self._guard:
            opened, self._open = self._open or (), None
            for connection in opened:
                shut(connection)

    def connection(self, id: str, timeout: float | None = None) -> socket.socket:
        """Open a connection for one call; the caller ends it with `left`. Raises SessionLost."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(timeout)
            connection.connect(self._path)
            with self._guard:
                if self._open is None:
                    raise lost(id)
                self._open.add(connection)
        except OSError as error:
            connection.close()
            raise lost(id, str(error)) from None
        except BaseException:
            connection.close()
            raise
        return connection

    def left(self, connection: socket.socket) -> None:
        """Close the connection of a call that has ended."""
        with self._guard:
            if self._open is not None:
                self._open.discard(connection)
            # Under the lock, so that `close` can't shut a descriptor that has been reused.
            connection.close()

    def _find(self, id: str) -> FrontSession:
        with _Exchange(self, id, "", (), LONGEST_WAIT) as exchange:
            exchange.finish()
            for _ in exchange.pieces():
                pass
            description = exchange.end
        return FrontSession(self, id, description["methods"], description.get("shared_key", ""))


class FrontSession(Session):
    """A session that the front process holds."""

    def __init__(self, sessions: FrontSessions, id: str, methods: Iterable[str], shared_key: str) -> None:
        self.id = id
        self.shared_key = shared_key
        self._sessions = sessions
        self._methods = frozenset(method.lower() for method in methods)

    def offers(self, method: str) -> bool:
        """Report whether the client serves a method. As in BuildKit, case does not matter."""
        return method.lower() in self._methods

    def call(
        self,
        method: str,
        request: Message,
        response: type[M],
        *,
        metadata: Metadata = (),
        timeout: float | None = None,
    ) -> M:
        with _Exchange(self._sessions, self.id, method, metadata, timeout) as exchange:
            exchange.send(request)
            exchange.finish()
            answers = [response.FromString(data) for data in exchange.messages()]
        if len(answers) != 1:
            raise CallFailed(method, INTERNAL, f"{len(answers)} answers where one should be")
        return answers[0]

    def stream(
        self, method: str, requests: Iterable[Message], response: type[Message], *, metadata: Metadata = ()
    ) -> Stream:
        return _FrontStream(_Exchange(self._sessions, self.id, method, metadata, None), requests, response)


class _FrontStream(Stream):
    def __init__(self, exchange: _Exchange, requests: Iterable[Message], response: type[Message]) -> None:
        self._exchange = exchange
        self._response = response
        exchange.enter()  # for the thread, before it runs: the connection must not be closed earlier
        threading.Thread(target=self._send, args=(requests,), name="session", daemon=True).start()

    def _send(self, requests: Iterable[Message]) -> None:
        try:
            for message in requests:
                if not self._exchange.send(message):
                    return
            self._exchange.finish()
        finally:
            self._exchange.leave()

    def __iter__(self) -> Iterator[Message]:
        decode = self._response.FromString
        self._exchange.enter()
        try:
            for data in self._exchange.messages():
                yield decode(data)
        finally:
            self._exchange.leave()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self._exchange.close()


class _Exchange:
    """A call over a connection of its own. `end` is the front process's last record.

    Threads that use the connection `enter` and `leave`: it is closed only when none does, as its descriptor might be
    reused under a thread's read. `close` shuts it down at once, which ends reads and writes.
    """

    def __init__(
        self, sessions: FrontSessions, id: str, method: str, metadata: Metadata, timeout: float | None
    ) -> None:
        self._sessions = sessions
        self._id = id
        self._method = method
        self._guard = threading.Lock()
        self._users = 0
        self._closed = False
        self.end: dict[str, Any] = {}
        call = {"session": id, "method": method, "metadata": _checked(method, metadata)}
        self._socket = sessions.connection(id, timeout)
        self._put(CALL, json.dumps(call).encode())

    def send(self, message: Message) -> bool:
        """Send a request. Return False if the call has ended; the reader of the answers gets the reason."""
        data = message.SerializeToString()
        return self._put(DATA, b"\0" + len(data).to_bytes(4, "big") + data)

    def finish(self) -> None:
        """End the requests."""
        self._put(END, b"")

    def messages(self) -> Iterator[bytes]:
        """Yield the answers, each in gRPC's framing: a byte for compression, four for the length, the message. Raises
        SessionLost, CallFailed."""
        data = bytearray()
        for piece in self.pieces():
            data += piece
            at, size = 0, len(data)
            while size - at >= 5:
                end = at + 5 + int.from_bytes(data[at + 1 : at + 5], "big")
                if size < end:
                    break
                if data[at]:
                    raise CallFailed(
                        self._method, INTERNAL, "a message is compressed, which nobody asked for"
                    )
                # Through a view, which spares a second copy of the slice.
                yield bytes(memoryview(data)[at + 5 : end])
                at = end
            del data[:at]
        code, message = self.end.get("code", INTERNAL), self.end.get("message", "")
        if code in (UNAVAILABLE, CANCELLED):
            raise lost(self._id, message)
        if code:
            raise CallFailed(self._method, code, message)

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes of answers as they arrive, until the last record, which sets `end`. Raises SessionLost."""
        data = bytearray()
        while True:
            data += self._receive()
            at, size = 0, len(data)
            while size - at >= _HEAD.size:
                kind, length = _HEAD.unpack_from(data, at)
                start = at + _HEAD.size
                if size - start < length:
                    break
                record, at = bytes(memoryview(data)[start : start + length]), start + length
                if kind == END:
                    self.end = json.loads(record)
                    if "lost" in self.end:
                        raise SessionLost(self.end["lost"], help=_AGAIN)
                    return
                yield record
            del data[:at]

    def enter(self) -> None:
        with self._guard:
            self._users += 1

    def leave(self) -> None:
        with self._guard:
            self._users -= 1
            self._give_back()

    def close(self) -> None:
        """End the call, also for threads that wait on it. Idempotent."""
        with self._guard:
            if not self._closed:
                self._closed = True
                shut(self._socket)
                self._give_back()

    def __enter__(self) -> _Exchange:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _give_back(self) -> None:
        if self._closed and not self._users:
            self._sessions.left(self._socket)

    def _receive(self) -> bytes:
        try:
            piece = self._socket.recv(CHUNK)
        except TimeoutError:
            raise CallFailed(self._method, DEADLINE, "context deadline exceeded") from None
        except OSError:
            piece = b""
        if not piece:
            raise lost(self._id)
        return piece

    def _put(self, kind: int, data: bytes) -> bool:
        try:
            self._socket.sendall(head(kind, len(data)) + data)
        except OSError:
            return False
        return True


def _checked(method: str, metadata: Metadata) -> Metadata:
    """Return the metadata. Raises CallFailed for values that a header can't hold."""
    for name, value in metadata:
        if not (value.isascii() and value.isprintable()):
            raise CallFailed(
                method, INTERNAL, f'header key "{name}" contains value with non-printable ASCII characters'
            )
    return metadata
