"""The channel between a worker process and its owner: marshalled values over a socket, each after its length."""

from __future__ import annotations

import marshal
import select
import socket
import struct
import threading
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LENGTH = struct.Struct("=I")
"""The length of a message, in the byte order of the machine: both ends run on it."""


class Channel:
    """One end of a channel. Any thread may send; one thread at a time may receive. Values are of built-in types."""

    __slots__ = ("_sending", "_socket")

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._sending = threading.Lock()

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, value: Any) -> None:
        """Send a value. Raises OSError when nobody is at the other end."""
        data = marshal.dumps(value)
        with self._sending:
            self._socket.sendall(LENGTH.pack(len(data)) + data)

    def receive(self) -> Any:
        """Return the next value. Raises EOFError when there will be none."""
        (length,) = LENGTH.unpack(self._exactly(LENGTH.size))
        return marshal.loads(self._exactly(length))

    def readable(self, seconds: float) -> bool:
        """Return whether `receive` can begin within `seconds`: a value is there, or the end of the channel."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN | select.POLLRDHUP)
        return bool(poll.poll(seconds * 1000))

    def hang_up(self) -> None:
        """End the conversation in both directions.

        `close` alone isn't enough where another process has inherited this end.
        """
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the descriptor. Idempotent."""
        self._socket.close()

    def _exactly(self, count: int) -> bytearray:
        data = bytearray()
        while len(data) < count:
            try:
                part = self._socket.recv(min(count - len(data), 1 << 20))
            except ConnectionError:
                part = b""
            if not part:
                raise EOFError
            data += part
        return data
