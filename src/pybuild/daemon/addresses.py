"""The addresses that the daemon listens at: `unix://PATH`, `tcp://HOST:PORT`."""

from __future__ import annotations

import os
import socket
import stat
from contextlib import suppress

from attrs import frozen

from pybuild.lang.diagnostics import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    import grpc

    from pybuild.daemon.settings import Settings

LONGEST = 107
"""The most bytes of a unix socket's path that the kernel takes (`sun_path`)."""
UNIX, _TCP = "unix", "tcp"


@frozen
class Address:
    kind: str
    place: str
    """A parsed address: a path, or HOST:PORT."""

    def __str__(self) -> str:
        return f"{self.kind}://{self.place}"


def parse(text: str) -> Address:
    """Parse an address. Raises UsageError."""
    kind, separator, place = text.partition("://")
    if not separator:
        raise UsageError(
            f"address {text} does not contain proto, you meant unix://{text} ?",
            help="write unix://PATH or tcp://HOST:PORT",
        )
    if kind == "fd":
        raise UsageError(
            "sockets that systemd opens (fd://) are not supported",
            help="listen on unix://PATH or tcp://HOST:PORT",
        )
    if kind not in (UNIX, _TCP):
        raise UsageError(f"addr {text} not supported", help="write unix://PATH or tcp://HOST:PORT")
    if not place or (kind == _TCP and not place.rpartition(":")[2].isdecimal()):
        raise UsageError(f"address {text} is not complete", help="write unix://PATH or tcp://HOST:PORT")
    if kind == UNIX:
        place = os.path.abspath(place)
        if len(os.fsencode(place)) > LONGEST:
            raise UsageError(
                f"the path of the socket {place} is longer than {LONGEST} bytes, which is the most that Linux takes",
                help="give a shorter one",
            )
    return Address(kind, place)


def insecure(places: Sequence[Address], settings: Settings) -> list[str]:
    """Return a warning for each address without TLS that others may reach. Raises UsageError for one off loopback,
    unless the settings allow it."""
    warnings = []
    for address in places:
        if address.kind != _TCP or settings.tls[0]:
            continue
        on_loopback = _is_loopback(address.place)
        if not on_loopback and not settings.insecure_tcp:
            raise UsageError(
                f"{address} without TLS would let everyone who reaches it build on this machine, unseen and unasked",
                help="give --tlscert, --tlskey and --tlscacert, listen on loopback, or give --insecure-tcp",
            )
        users = "each user of this machine" if on_loopback else "everyone who reaches it"
        warnings.append(f"{address} has no TLS: {users} may build with the rights of this daemon")
    return warnings


def _is_loopback(place: str) -> bool:
    """Report whether HOST:PORT is reached from this machine alone: every address that the host stands for."""
    import ipaddress

    host = place.rpartition(":")[0].strip("[]")
    if not host:
        return False  # all addresses of the machine
    try:
        results = socket.getaddrinfo(host, None)
    except (OSError, UnicodeError):
        return False
    return all(ipaddress.ip_address(str(result[4][0]).partition("%")[0]).is_loopback for result in results)


class Listening:
    """The addresses that a server is bound to. `close` removes their sockets."""

    def __init__(self) -> None:
        self._sockets: list[tuple[str, tuple[int, int]]] = []
        self.bound: list[str] = []

    def add(self, server: grpc.aio.Server, addresses: Sequence[Address], settings: Settings) -> None:
        """Bind the server to all addresses. Raises UsageError, OSError."""
        credentials = _credentials(settings)
        for address in addresses:
            if address.kind == UNIX:
                self._unix(server, address.place, settings)
                self.bound.append(str(address))
            else:
                port = _bind(server, address, credentials)
                self.bound.append(f"tcp://{address.place.rpartition(':')[0]}:{port}")

    def close(self) -> None:
        """Unlink the sockets, unless others have taken their places."""
        for path, identity in self._sockets:
            with suppress(OSError):
                if _identity(path) == identity:
                    os.unlink(path)
        self._sockets = []

    def _unix(self, server: grpc.aio.Server, path: str, settings: Settings) -> None:
        os.makedirs(os.path.dirname(path), mode=0o711, exist_ok=True)
        remove_stale_socket(path)
        # Nobody else may connect before the socket has its owner and mode.
        before = os.umask(0o177)
        try:
            if not _port(server, f"unix:{path}", None):
                raise UsageError(
                    f"cannot listen on unix://{path}", help="is its directory one that can be written?"
                )
        finally:
            os.umask(before)
        self._sockets.append((path, _identity(path)))
        uid = os.geteuid() if settings.uid is None else settings.uid
        gid = os.getegid() if settings.gid is None else settings.gid
        os.chown(path, uid, gid)
        os.chmod(path, 0o660)


def _identity(path: str) -> tuple[int, int]:
    status = os.lstat(path)
    return status.st_dev, status.st_ino


def remove_stale_socket(path: str) -> None:
    """Remove the socket of a daemon that is gone. Raises UsageError if one is there, or a file that is no socket."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise UsageError(f"cannot listen on {path}: a file is there that is no socket", help="remove it")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX) as trial:
        trial.settimeout(1.0)
        try:
            trial.connect(path)
        except TimeoutError:
            pass
        except OSError:
            os.unlink(path)
            return
    raise UsageError(
        f"a daemon is listening on unix://{path} already", help="end it first, or give another --addr"
    )


def _bind(server: grpc.aio.Server, address: Address, credentials: grpc.ServerCredentials | None) -> int:
    place = address.place if not address.place.startswith(":") else f"[::]{address.place}"
    port = _port(server, place, credentials)
    if not port:
        raise UsageError(
            f"cannot listen on {address}", help="is the address one of this machine, and is the port free?"
        )
    return port


def _port(server: grpc.aio.Server, place: str, credentials: grpc.ServerCredentials | None) -> int:
    """Bind one address; return its port, 0 if it can't be bound."""
    try:
        if credentials is None:
            return server.add_insecure_port(place)
        return server.add_secure_port(place, credentials)
    # Raised by later versions of gRPC where earlier ones return 0.
    except RuntimeError:
        return 0


def _credentials(settings: Settings) -> grpc.ServerCredentials | None:
    """Return the server's credentials, None without TLS. Raises UsageError."""
    cert, key, authority = settings.tls
    if not cert:
        return None
    import ssl

    import grpc

    try:
        # gRPC says nothing of what is wrong with them.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        if authority:
            context.load_verify_locations(authority)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            f"could not load server key pair: {error}",
            help="--tlscert, --tlskey and --tlscacert are PEM files",
        ) from None
    pair = [(_read(key), _read(cert))]
    return grpc.ssl_server_credentials(
        pair, root_certificates=_read(authority) if authority else None, require_client_auth=bool(authority)
    )


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
