"""Connections to daemons: `unix://`, `tcp://` with or without TLS, and the BuildKit inside a Docker daemon."""

from __future__ import annotations

import socket
from pathlib import Path

import grpc
from attrs import frozen
from tests.daemon.client.control import Daemon
from tests.daemon.client.sockets import Directory, Relay, dial_unix

MESSAGE = 16 << 20
OPTIONS = [
    ("grpc.max_receive_message_length", MESSAGE),
    ("grpc.max_send_message_length", MESSAGE),
    # Errors of BuildKit come with stack traces.
    ("grpc.max_metadata_size", 1 << 20),
    # Each client is one of its own, as a program would be.
    ("grpc.use_local_subchannel_pool", 1),
]
_UPGRADE = b"POST /grpc HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"


@frozen
class TLS:
    """Files of certificates: the authority's, and for mTLS the client's own with its key."""

    authority: Path
    certificate: Path | None = None
    key: Path | None = None
    server_name: str = ""


def connect(address: str, tls: TLS | None = None) -> Daemon:
    """The daemon at `unix:///path` or `tcp://host:port`. Nothing is called yet."""
    target = address.removeprefix("tcp://") if address.startswith("tcp://") else address
    if tls is None:
        return Daemon(grpc.insecure_channel(target, OPTIONS), address)
    credentials = grpc.ssl_channel_credentials(
        tls.authority.read_bytes(),
        tls.key.read_bytes() if tls.key else None,
        tls.certificate.read_bytes() if tls.certificate else None,
    )
    names = [("grpc.ssl_target_name_override", tls.server_name)] if tls.server_name else []
    return Daemon(grpc.secure_channel(target, credentials, [*OPTIONS, *names]), address)


def docker_buildkit(host: str) -> Daemon:
    """The BuildKit of the Docker daemon at `host` (`unix:///path`), which speaks HTTP/2 after an upgrade."""
    directory = Directory()
    path = directory.socket("grpc")
    relay = Relay(path, lambda: _upgraded(host.removeprefix("unix://")))

    def close() -> None:
        relay.close()
        directory.close()

    return Daemon(grpc.insecure_channel(f"unix://{path}", OPTIONS), host, close)


def _upgraded(path: str) -> socket.socket:
    connection = dial_unix(path)
    connection.sendall(_UPGRADE)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        # By the byte: what follows the head is HTTP/2 already.
        byte = connection.recv(1)
        if not byte:
            break
        head += byte
    if b" 101 " not in head.partition(b"\r\n")[0]:
        raise ConnectionError(f"no upgrade to h2c: {head!r}")
    return connection
