"""Loading an image into a Docker daemon: `POST /images/load` with the archive as a chunked body."""

from __future__ import annotations

import os
import socket

from pybuild.lang.diagnostics import Cancelled, UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybuild.runtime.export.layout import Sink

DEFAULT = "unix:///var/run/docker.sock"
_PIECE = 1 << 20
_HEAD = (
    b"POST /images/load?quiet=1 HTTP/1.1\r\nHost: docker\r\nContent-Type: application/x-tar\r\n"
    b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
)


class DaemonError(UserError):
    """The Docker daemon can't be reached or refused the image."""


def load(write: Callable[[Sink], None], *, cancelled: Callable[[], bool] | None = None) -> None:
    """Load the archive that `write` produces into the daemon at DOCKER_HOST (default: its socket in
    /var/run).

    Raises DaemonError, Cancelled.
    """
    address = os.environ.get("DOCKER_HOST") or DEFAULT
    connection = _connect(address)
    with connection:
        body = _Body(connection, cancelled)
        broken = False
        try:
            connection.sendall(_HEAD)
            write(body)
            body.end()
        except (BrokenPipeError, ConnectionResetError):
            broken = True  # the daemon says why
        try:
            status, text = _response(connection)
        except OSError as error:
            raise DaemonError(
                f"the Docker daemon at {address} closed the connection: {error.strerror or error}",
                help="look into the daemon's log",
            ) from None
    message = _message(status, text)
    if message or broken:
        raise DaemonError(
            f"the Docker daemon could not load the image: {message or 'it closed the connection'}",
            help="look into the daemon's log, or write a file with type=docker,dest=FILE and load that",
        )


def _connect(address: str) -> socket.socket:
    scheme, _, rest = address.partition("://")
    help = "start Docker, set DOCKER_HOST to its socket, or write a file with type=docker,dest=FILE"
    connection = None
    try:
        if scheme == "unix":
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.connect(rest)
        elif scheme == "tcp" and not os.environ.get("DOCKER_TLS_VERIFY"):
            host, _, port = rest.rstrip("/").rpartition(":")
            connection = socket.create_connection((host.strip("[]"), int(port)))
        else:
            raise DaemonError(
                f"DOCKER_HOST={address} is not supported: only unix:// and plain tcp:// are",
                help="use type=docker,dest=FILE and load the file there",
            )
    except (OSError, ValueError) as error:
        if connection is not None:
            connection.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise DaemonError(f"no Docker daemon at {address}: {reason}", help=help) from None
    return connection


class _Body:
    """The body of the request; each write is a chunk."""

    def __init__(self, connection: socket.socket, cancelled: Callable[[], bool] | None) -> None:
        self._connection = connection
        self._cancelled = cancelled

    def write(self, data: bytes | memoryview) -> None:
        if self._cancelled is not None and self._cancelled():
            raise Cancelled
        if data:
            self._connection.sendall(b"%x\r\n" % len(data))
            self._connection.sendall(data)
            self._connection.sendall(b"\r\n")

    def copy(self, source: str) -> None:
        with open(source, "rb", buffering=0) as file:
            while data := file.read(_PIECE):
                self.write(data)

    def end(self) -> None:
        self._connection.sendall(b"0\r\n\r\n")


def _response(connection: socket.socket) -> tuple[int, bytes]:
    """Return status and body after reading the connection to its end."""
    parts = []
    while data := connection.recv(1 << 16):
        parts.append(data)
    head, _, body = b"".join(parts).partition(b"\r\n\r\n")
    line, *headers = head.split(b"\r\n")
    words = line.split(b" ", 2)
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    if any(header.lower().replace(b" ", b"") == b"transfer-encoding:chunked" for header in headers):
        body = _joined(body)
    return status, body


def _joined(body: bytes) -> bytes:
    out = []
    while body:
        size, _, body = body.partition(b"\r\n")
        try:
            length = int(size.split(b";")[0], 16)
        except ValueError:
            break
        out.append(body[:length])
        body = body[length + 2 :]
    return b"".join(out)


def _message(status: int, text: bytes) -> str:
    """Return the error of a response, "" for success: a bad status, or an error among the JSON lines of a
    good one."""
    import json

    for line in text.splitlines():
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            detail = value.get("errorDetail")
            error = value.get("error") or (detail.get("message") if isinstance(detail, dict) else None)
            error = error or (value.get("message") if status != 200 else None)
            if error:
                return str(error)
    if status == 200:
        return ""
    return text.decode(errors="replace").strip()[:300] or f"status {status}"
