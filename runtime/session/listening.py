"""A Unix socket at a path of any length, with a thread for each connection."""

from __future__ import annotations

import os
import socket
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK = 1 << 16
_BACKLOG = 64


class Listening:
    """Listens at `path` until `close`, which removes the socket and ends its threads.

    `serve` is called with each connection in a thread; an OSError of it ends that connection only. It must register
    further sockets that it blocks on with `joined`, so that `close` ends them too.
    """

    def __init__(
        self,
        path: str,
        serve: Callable[[Listening, socket.socket], None],
        *,
        uid: int = -1,
        gid: int = -1,
        mode: int = 0o600,
    ) -> None:
        """Raises OSError."""
        self.path = path
        self._serve = serve
        self._guard = threading.Lock()
        self._open: set[socket.socket] | None = set()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            at(path, self._listener.bind)
            os.chown(path, uid, gid)
            os.chmod(path, mode & 0o777)
            # Last: before it, connections are refused, also those with the socket's first owner and mode.
            self._listener.listen(_BACKLOG)
        except BaseException:
            self._listener.close()
            if os.path.lexists(path):
                os.unlink(path)
            raise
        threading.Thread(target=self._accept, name="ssh forward", daemon=True).start()

    def joined(self, connection: socket.socket) -> bool:
        """Register a socket to be shut by `close`; return False if that has been called."""
        with self._guard:
            if self._open is None:
                return False
            self._open.add(connection)
            return True

    def left(self, connection: socket.socket) -> None:
        """Unregister a socket, before its owner closes it."""
        with self._guard:
            if self._open is not None:
                self._open.discard(connection)

    def close(self) -> None:
        """Stop listening and end all connections. Idempotent."""
        with self._guard:
            if self._open is None:
                return
            connections, self._open = self._open, None
        # shutdown, as close would not wake the thread that waits in accept.
        for connection in (self._listener, *connections):
            shut(connection)
        self._listener.close()
        os.unlink(self.path)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(client,), name="ssh agent", daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with client:
            if not self.joined(client):
                return
            try:
                self._serve(self, client)
            except OSError:
                return
            finally:
                self.left(client)


def at(path: str, use: Callable[[str], object]) -> None:
    """Call `use` with a short name of a socket's path, through its directory's descriptor: the kernel takes
    addresses of 107 bytes at most."""
    fd = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        use(f"/proc/self/fd/{fd}/{os.path.basename(path)}")
    finally:
        os.close(fd)


def shut(connection: socket.socket) -> None:
    """Shut a connection in both directions, which ends the waits of other threads; the descriptor stays open."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
