"""An HTTP/2 connection on which this process is the client, for gRPC calls: `h2` with back-pressure and limits.

`feed` takes what comes from the peer, `outgoing` gives what is to go there; neither blocks the other. A call's
messages stay as they are framed: gRPC's own prefixes are the callers' business.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import H2Error
from h2.settings import SettingCodes, Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from hyperframe.frame import Frame, GoAwayFrame

    Headers = list[tuple[str, str]]

OWN_WINDOW = 1 << 20
"""The most bytes of one call that may wait for its reader: the window that the peer is granted."""
LARGEST_BLOCK = 1 << 20
"""The most bytes of one call's headers."""
WAITING = 1 << 20
"""Bytes that may wait to be sent before senders of data have to wait too."""
PIECE = 64 << 10
"""Bytes from the peer that are processed before other tasks of the loop have their turn."""
UNREAD = 4 << 20
"""The most bytes that may wait for a peer that provokes answers and reads none of them."""
# The largest window of HTTP/2, and the one that a connection begins with (RFC 9113, 6.9).
_MOST, _FULL = (1 << 31) - 1, 65535


class BadPeer(Exception):
    """The peer does not speak HTTP/2, or breaks its rules."""


class Call:
    """A stream of the connection. `headers` are the first ones of the peer, `trailers` the last ones. Without
    trailers `failure` is the code of the reset that ended the call, or None if the connection ended it."""

    def __init__(self, connection: Connection, id: int) -> None:
        self._connection = connection
        self._id = id
        self.headers: Headers | None = None
        self.trailers: Headers | None = None
        self.failure: int | None = None
        self.ended = False
        self.sent_all = False
        self._parts: list[bytes] = []
        self._unacknowledged = 0
        self._changed = asyncio.Event()

    async def receive(self) -> bytes:
        """Return all data that have arrived since the last call; b"" at the end."""
        while not self._parts and not self.ended:
            self._changed.clear()
            await self._changed.wait()
        data = b"".join(self._parts)
        self._parts.clear()
        unacknowledged, self._unacknowledged = self._unacknowledged, 0
        self._connection.acknowledge(self._id, unacknowledged)
        return data

    async def send(self, data: bytes, *, end: bool = False) -> None:
        """Send data, waiting for room in the peer's windows. After the end of the call nothing is sent."""
        view = memoryview(data)
        while view and not self.ended:
            room = await self._connection.room(self, self._id)
            part, view = view[:room], view[room:]
            if part:
                self._put(bytes(part), end=end and not view)
        if end and not data and not self.ended:
            self._put(b"", end=True)

    def cancel(self) -> None:
        """Idempotent."""
        if not self.ended:
            self.finish(ErrorCodes.CANCEL)
            self._connection.reset(self._id, ErrorCodes.CANCEL)

    def _put(self, data: bytes, *, end: bool) -> None:
        self.sent_all = end
        try:
            self._connection.put(self._id, data, end=end)
        except H2Error:
            self.finish()

    # What the connection tells

    def take(self, data: bytes, size: int) -> None:
        """Take data that have arrived. `size` is what they count in flow-control windows, padding included."""
        self._unacknowledged += size
        if data:
            self._parts.append(data)
            self._changed.set()

    def finish(self, failure: int | None = None) -> None:
        self.failure = failure
        self.ended = True
        self._changed.set()


class _Lasting(H2Connection):
    """An h2 connection that outlives a GOAWAY. h2 takes one for the end of everything; gRPC servers send one and
    finish the calls they have accepted."""

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> tuple[list[Frame], list[events.Event]]:
        event = events.ConnectionTerminated()
        event.last_stream_id = frame.last_stream_id
        return [], [event]


class Connection:
    """The connection, open until `close`, which ends all calls."""

    def __init__(self) -> None:
        self._calls: dict[int, Call] = {}
        self._output: list[bytes] = []
        self._waiting = 0
        self._wake = asyncio.Event()
        self._room = asyncio.Condition()
        self._h2 = _Lasting(H2Configuration(client_side=True, header_encoding="latin-1"))
        settings = {
            SettingCodes.ENABLE_PUSH: 0,
            SettingCodes.INITIAL_WINDOW_SIZE: OWN_WINDOW,
            SettingCodes.MAX_HEADER_LIST_SIZE: LARGEST_BLOCK,
        }
        # Before the connection is initiated, so that its first SETTINGS frame has them.
        self._h2.local_settings = Settings(client=True, initial_values=settings)
        self._h2.decoder.max_header_list_size = LARGEST_BLOCK
        self._refusing = False
        self.closed = False
        self._h2.initiate_connection()
        # Each call's window bounds what waits; the connection's must not let one call stop another.
        self._h2.increment_flow_control_window(_MOST - _FULL)
        self._flush()

    def call(self, headers: Iterable[tuple[str, str]]) -> Call:
        """Begin a call. If the connection is closed, or the peer accepts no more, the call has ended already."""
        id = 0
        if not self.closed and not self._refusing:
            with suppress(H2Error):
                id = self._h2.get_next_available_stream_id()
                self._h2.send_headers(id, headers)
                call = self._calls[id] = Call(self, id)
                self._flush()
                return call
        call = Call(self, id)
        call.finish()
        return call

    async def outgoing(self) -> AsyncIterator[bytes]:
        """Yield the data to send to the peer, until the connection closes."""
        while True:
            if not self._output:
                if self.closed:
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            data = b"".join(self._output)
            self._output.clear()
            yield data
            self._waiting -= len(data)
            await self._wake_senders()

    async def feed(self, data: bytes) -> None:
        """Take data from the peer. Raises BadPeer."""
        for start in range(0, len(data), PIECE):
            if self.closed:
                return
            try:
                for event in self._h2.receive_data(data[start : start + PIECE]):
                    self._take(event)
            except H2Error as error:
                raise BadPeer(str(error) or type(error).__name__) from None
            self._flush()
            if self._waiting > UNREAD:
                raise BadPeer("a peer that doesn't read")
            await self._wake_senders()
            await asyncio.sleep(0)

    def close(self) -> None:
        """Idempotent."""
        self.closed = True
        calls, self._calls = self._calls, {}
        for call in calls.values():
            call.finish()
        self._wake.set()

    # For calls

    async def room(self, call: Call, id: int) -> int:
        """Return how many bytes a call may send at once, at least one; 0 once it has ended."""

        def sendable() -> int:
            window = self._h2.local_flow_control_window(id)
            return min(window, self._h2.max_outbound_frame_size) if self._waiting < WAITING else 0

        async with self._room:
            await self._room.wait_for(lambda: call.ended or sendable() > 0)
            return 0 if call.ended else sendable()

    def put(self, id: int, data: bytes, *, end: bool) -> None:
        self._h2.send_data(id, data, end_stream=end)
        self._flush()

    def acknowledge(self, id: int, size: int) -> None:
        """Open the window again by `size` bytes of a call that its reader has taken."""
        if size and not self.closed:
            with suppress(H2Error):
                self._h2.acknowledge_received_data(size, id)
            self._flush()

    def reset(self, id: int, code: int) -> None:
        if self._calls.pop(id, None) is not None:
            self._stop(id, code)

    def _stop(self, id: int, code: int) -> None:
        if not self.closed:
            with suppress(H2Error):  # the stream may be over: frames that came together are known at once
                self._h2.reset_stream(id, code)
            self._flush()

    # Events

    def _take(self, event: events.Event) -> None:
        id = getattr(event, "stream_id", 0)
        call = self._calls.get(id)
        if isinstance(event, events.DataReceived):
            size = event.flow_controlled_length or 0
            if call is None:
                self.acknowledge(id, size)  # it was cancelled
            else:
                call.take(event.data or b"", size)
        elif isinstance(event, events.ConnectionTerminated):
            self._go_away(event.last_stream_id or 0)
        elif call is None:
            return
        elif isinstance(event, events.ResponseReceived):
            call.headers = call.trailers = _texts(event.headers)
        elif isinstance(event, events.TrailersReceived):
            call.trailers = _texts(event.headers)
        elif isinstance(event, events.StreamEnded):
            self._calls.pop(id, None)
            call.finish(ErrorCodes.NO_ERROR)
            # The peer has answered in full: what is left to send is of no use.
            if not call.sent_all:
                self._stop(id, ErrorCodes.NO_ERROR)
        elif isinstance(event, events.StreamReset):
            self._calls.pop(id, None)
            call.finish(int(event.error_code))

    def _go_away(self, last: int) -> None:
        """End the calls that the peer has not accepted; the others go on."""
        self._refusing = True
        for id in [id for id in self._calls if id > last]:
            self._calls.pop(id).finish()

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data:
            self._output.append(data)
            self._waiting += len(data)
            self._wake.set()

    async def _wake_senders(self) -> None:
        """Wake the senders: there may be room."""
        async with self._room:
            self._room.notify_all()


def _texts(headers: Iterable[tuple[bytes | str, bytes | str]]) -> Headers:
    return [(_text(name), _text(value)) for name, value in headers]


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")
