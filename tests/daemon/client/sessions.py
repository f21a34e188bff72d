"""A client's session: gRPC services that the daemon calls, through the bytes of a call of the client's.

The daemon's end is an HTTP/2 client; this one's is an ordinary gRPC server on a private unix socket, and a pump.
"""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import grpc
from grpc_health.v1 import health_pb2
from tests.daemon.client.calls import Answers
from tests.daemon.client.control import Daemon
from tests.daemon.client.failure import Failure
from tests.daemon.client.serving import Offer
from tests.daemon.client.sockets import CHUNK, Directory, dial_unix, hang_up

from pybuild.compiler.protos import control_pb2

THREADS = 64
"""Calls that may be open at once: more than a daemon makes."""

MESSAGE = 16 << 20


class Session:
    """Open from the start; `id` is what a Solve names. `error` is why the daemon ended it, if it did."""

    def __init__(
        self,
        daemon: Daemon,
        offers: Sequence[Offer] = (),
        *,
        shared_key: str = "",
        name: str = "",
        id: str = "",
        healthy: bool = True,
    ) -> None:
        self.id = id or uuid.uuid4().hex[:25]
        self.error: Failure | None = None
        self.ended = threading.Event()
        self._directory = Directory()
        path = self._directory.socket("session")
        served = [*offers, health()] if healthy else list(offers)
        self._server = _serve(path, served)
        self._socket = dial_unix(path)
        self._answers = self._open(daemon, self._metadata(served, shared_key, name))
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the session and what it serves. Idempotent."""
        hang_up(self._socket)
        self._thread.join(5)
        self._answers.cancel()
        self._server.stop(0).wait(5)
        self._directory.close()

    def _metadata(self, offers: Sequence[Offer], shared_key: str, name: str) -> list[tuple[str, str]]:
        told = [("x-docker-expose-session-uuid", self.id)]
        told.append(("x-docker-expose-session-name", name or "tests"))
        told.append(("x-docker-expose-session-sharedkey", shared_key))
        for offer in offers:
            told += [("x-docker-expose-session-grpc-method", path) for path in offer.paths]
        return told

    def _open(self, daemon: Daemon, told: list[tuple[str, str]]) -> Answers[control_pb2.BytesMessage]:
        message = control_pb2.BytesMessage
        return daemon.calls.stream("Session", self._send(), message, metadata=told, timeout=None)

    def _send(self) -> Iterator[control_pb2.BytesMessage]:
        with suppress(OSError):
            while data := self._socket.recv(CHUNK):
                yield control_pb2.BytesMessage(data=data)

    def _receive(self) -> None:
        try:
            for message in self._answers:
                self._socket.sendall(message.data)
        except Failure as failure:
            if failure.code is not grpc.StatusCode.CANCELLED:
                self.error = failure
        except OSError:
            pass
        finally:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self.ended.set()


def health() -> Offer:
    """Says that the session lives."""

    def check(request: object, context: object) -> health_pb2.HealthCheckResponse:
        return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)

    return Offer(health_pb2.DESCRIPTOR.services_by_name["Health"], {"Check": check})


def _serve(path: str, offers: Sequence[Offer]) -> grpc.Server:
    limits = [("grpc.max_receive_message_length", MESSAGE), ("grpc.max_send_message_length", MESSAGE)]
    server = grpc.server(ThreadPoolExecutor(THREADS), options=limits)
    server.add_generic_rpc_handlers([offer.handler() for offer in offers])
    server.add_insecure_port(f"unix://{path}")
    server.start()
    return server
