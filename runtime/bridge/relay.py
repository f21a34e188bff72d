"""A relay between a unix socket and the standard streams of a container. Passing the socket itself would not
show when the connection ends: a frontend may close it and go on, or send what no server understands."""

from __future__ import annotations

import socket
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK = 1 << 16


class Relay:
    """A relay of two threads. `fileno` is the descriptor for the container. `closed` is called once with a
    reason, when either side has ended the connection."""

    def __init__(self, path: str, closed: Callable[[str], None]) -> None:
        """Raises OSError."""
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.connect(path)
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._closed = closed
        self._guard = threading.Lock()
        self._done = False
        self._threads = [
            threading.Thread(target=self._carry, args=args, name="relay", daemon=True)
            for args in (
                (self._ours, self._server, ": it has closed its connection"),
                (self._server, self._ours, ": it does not speak gRPC as a frontend does"),
            )
        ]
        for one in self._threads:
            one.start()

    def fileno(self) -> int:
        return self._theirs.fileno()

    def give_away(self) -> None:
        """Close our copy of the container's descriptor once the container has it, so that its end shows."""
        self._theirs.close()

    def _carry(self, source: socket.socket, target: socket.socket, reason: str) -> None:
        try:
            while data := source.recv(_CHUNK):
                target.sendall(data)
        except OSError:
            pass
        # Passes the end on; the other direction may still have something to say.
        _shut(target, socket.SHUT_WR)
        with self._guard:
            first, self._done = not self._done, True
        if first:
            self._closed(reason)

    def close(self) -> None:
        """Idempotent."""
        # `closed` must not be called for an end that we cause.
        with self._guard:
            self._done = True
        self._theirs.close()
        for one in (self._ours, self._server):
            _shut(one, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._ours.close()
        self._server.close()

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _shut(one: socket.socket, how: int) -> None:
    try:
        one.shutdown(how)
    except OSError:
        return  # the other side was faster
