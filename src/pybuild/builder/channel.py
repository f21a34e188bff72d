"""Messages between a program and its workers: marshalled values, each with its length before it, over a socket."""

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


class Channel:
    """One end. Any thread may send; one at a time may receive. Values are of built-in types."""

    __slots__ = ("_sending", "_socket")

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._sending = threading.Lock()

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, value: Any) -> None:
        """Raises OSError when nobody is at the other end."""
        data = marshal.dumps(value)
        with self._sending:
            self._socket.sendall(LENGTH.pack(len(data)) + data)

    def receive(self) -> Any:
        """The next value. Raises EOFError when there will be none."""
        (length,) = LENGTH.unpack(self._exactly(LENGTH.size))
        return marshal.loads(self._exactly(length))

    def readable(self, seconds: float) -> bool:
        """Whether `receive` has something to say within `seconds`, be it the end."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN | select.POLLRDHUP)
        return bool(poll.poll(seconds * 1000))

    def hang_up(self) -> None:
        """Say and hear nothing more, whoever else holds this end."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Idempotent."""
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
