"""Private unix sockets, and pumps between two connections."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress

CHUNK = 1 << 16


class Directory:
    """A directory for sockets that only this user enters; short, as a socket's path may have 107 bytes."""

    def __init__(self) -> None:
        self.path = tempfile.mkdtemp(prefix="bk-", dir="/tmp")

    def socket(self, name: str) -> str:
        return os.path.join(self.path, name)

    def close(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


class Relay:
    """A unix listener whose connections are each pumped to one that `dial` makes."""

    def __init__(self, path: str, dial: Callable[[], socket.socket]) -> None:
        self._dial = dial
        self._guard = threading.Lock()
        self._open: list[socket.socket] | None = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with self._guard:
            opened, self._open = self._open or [], None
        for one in (self._listener, *opened):
            hang_up(one)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = self._dial()
            except OSError:
                hang_up(near)
                continue
            with self._guard:
                closed = self._open is None
                if self._open is not None:
                    self._open += (near, far)
            if closed:
                hang_up(near)
                hang_up(far)
                return
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=pump, args=(one, other), daemon=True).start()


def pump(source: socket.socket, target: socket.socket) -> None:
    """Everything from one connection to another, until either ends; then both have."""
    with suppress(OSError):
        while data := source.recv(CHUNK):
            target.sendall(data)
    hang_up(source)
    hang_up(target)


def hang_up(one: socket.socket) -> None:
    """End a connection, or a listener, whoever is waiting on it. Idempotent."""
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


def dial_unix(path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection
