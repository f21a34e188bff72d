"""The connection of a frontend's process: its builder serves gRPC on its standard input and output.

grpcio takes no descriptors, so the channel connects to a socket of this process, whose bytes two threads carry to
and from the standard streams. The socket has no path, as an image may have no directory that can be written; whatever
else connects to it is turned away.
"""

from __future__ import annotations

import os
import secrets
import socket
import struct
import sys
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from grpc import Channel

LARGEST_MESSAGE = 16 << 20
"""The most bytes of one message, as in builders."""

_CHUNK = 1 << 16
_CREDENTIALS = struct.Struct("=iII")


class StandardStreams:
    """The channel over the standard streams of this process, of which there can be one. While it is open, the
    program prints to standard error, and its standard input is empty."""

    def __init__(self) -> None:
        self._from_builder = os.dup(0)
        self._to_builder = os.dup(1)
        sys.stdout.flush()
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        os.dup2(2, 1)
        name = f"pybuild-frontend-{secrets.token_hex(16)}"
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind("\0" + name)
        self._listener.listen(1)
        self._pump = threading.Thread(target=self._connect, name="streams", daemon=True)
        self._pump.start()
        self._sender: threading.Thread | None = None
        self.channel = _channel(f"unix-abstract:{name}")

    def _connect(self) -> None:
        """Wait for the channel's connection, then carry bytes both ways."""
        try:
            ours = self._accept()
        except OSError:
            return  # closed before anything was called
        self._sender = threading.Thread(target=self._send, args=(ours,), name="to builder")
        self._sender.start()
        _carry(self._from_builder, ours.fileno())
        _end(ours, socket.SHUT_WR)

    def _send(self, ours: socket.socket) -> None:
        with ours:
            _carry(ours.fileno(), self._to_builder)
            _end(ours, socket.SHUT_RD)
        os.close(self._to_builder)

    def _accept(self) -> socket.socket:
        while True:
            connection, _ = self._listener.accept()
            data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            if _CREDENTIALS.unpack(data)[0] == os.getpid():
                self._listener.close()
                return connection
            connection.close()

    def close(self) -> None:
        """Close the connection once everything sent has reached the builder. Idempotent."""
        self.channel.close()
        _end(self._listener, socket.SHUT_RDWR)
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.join()

    def __enter__(self) -> StandardStreams:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _channel(address: str) -> Channel:
    import grpc

    options = [
        ("grpc.max_receive_message_length", LARGEST_MESSAGE),
        ("grpc.max_send_message_length", LARGEST_MESSAGE),
        ("grpc.default_authority", "localhost"),
        ("grpc.enable_retries", 0),
    ]
    channel: Channel = grpc.insecure_channel(address, options=options)
    return channel


def _carry(source: int, target: int) -> None:
    """Copy until the source ends or the target takes no more."""
    try:
        while data := os.read(source, _CHUNK):
            while data:
                data = data[os.write(target, data) :]
    except OSError:
        return


def _end(end: socket.socket, how: int) -> None:
    try:
        end.shutdown(how)
    except OSError:
        return  # the other side was faster
