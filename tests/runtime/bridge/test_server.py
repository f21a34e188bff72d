"""The gRPC server of a frontend: its end, for calls that run and for answers that were not read."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import grpc
import pytest
from h2.connection import H2Connection
from h2.events import DataReceived, StreamEnded, TrailersReceived
from tests.daemon.client.calls import Calls
from tests.daemon.client.failure import Failure
from tests.daemon.client.sockets import Directory

from pybuild.compiler.protos import gateway_pb2 as pb
from pybuild.runtime.bridge.server import Server
from pybuild.runtime.bridge.statuses import status_of
from pybuild.runtime.solver.types import Cancellation

SERVICE = pb.DESCRIPTOR.services_by_name["LLBBridge"]
SECONDS = 20.0


class Methods:
    """Ping answers at once, Evaluate when it is cancelled."""

    def __init__(self) -> None:
        self.pinged = threading.Event()
        self.evaluating = threading.Event()
        self.cancelled = threading.Event()

    def Ping(self, request: pb.PingRequest, cancellation: Cancellation) -> pb.PongResponse:
        self.pinged.set()
        return pb.PongResponse()

    def Evaluate(self, request: pb.EvaluateRequest, cancellation: Cancellation) -> pb.EvaluateResponse:
        cancellation.on_cancel(self.cancelled.set)
        self.evaluating.set()
        assert self.cancelled.wait(SECONDS)
        return pb.EvaluateResponse()


class Serving:
    def __init__(self, path: str) -> None:
        self.path = path
        self.methods = Methods()
        self.server = Server(path, SERVICE, self.methods, status_of)


@pytest.fixture
def serving() -> Iterator[Serving]:
    directory = Directory()
    made = Serving(directory.socket("server"))
    yield made
    made.server.stop()
    directory.close()


class Peer:
    """A call whose request is sent, but for its end; nothing of the answer is read before `answer`."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(SECONDS)
        self._socket.connect(path)
        self._h2 = H2Connection()
        self._h2.initiate_connection()
        headers = {":method": "POST", ":scheme": "http", ":path": f"/{SERVICE.full_name}/Ping"}
        headers |= {":authority": "localhost", "te": "trailers", "content-type": "application/grpc"}
        self._h2.send_headers(1, list(headers.items()))
        self._h2.send_data(1, bytes(5))
        self._send()

    def answer(self) -> tuple[bytes, dict[bytes, bytes]]:
        """The message as it is framed, and the trailers. Raises OSError when the connection is closed."""
        self._h2.end_stream(1)
        self._send()
        data, trailers = b"", {}
        while True:
            for event in self._h2.receive_data(self._socket.recv(1 << 16)):
                if isinstance(event, DataReceived):
                    data += event.data or b""
                elif isinstance(event, TrailersReceived):
                    trailers = {bytes(name): bytes(value) for name, value in event.headers}
                elif isinstance(event, StreamEnded):
                    return data, trailers

    def await_end(self) -> None:
        """Until the server closes the connection. Raises TimeoutError."""
        with suppress(ConnectionResetError):
            while self._socket.recv(1 << 16):
                pass

    def close(self) -> None:
        self._socket.close()

    def _send(self) -> None:
        self._socket.sendall(self._h2.data_to_send())


@pytest.fixture
def peer(serving: Serving) -> Iterator[Peer]:
    made = Peer(serving.path)
    yield made
    made.close()


def test_an_answer_is_there_after_the_end(serving: Serving, peer: Peer) -> None:
    """Its peer may have something to write before it reads."""
    assert serving.methods.pinged.wait(SECONDS)
    serving.server.finish()
    data, trailers = peer.answer()
    assert data == bytes(5)
    assert trailers[b"grpc-status"] == b"0"


def test_only_then_the_connection_ends(serving: Serving, peer: Peer) -> None:
    assert serving.methods.pinged.wait(SECONDS)
    serving.server.stop()
    peer.await_end()


@pytest.fixture
def calls(serving: Serving) -> Iterator[Calls]:
    with grpc.insecure_channel(f"unix:{serving.path}") as channel:
        yield Calls(channel, SERVICE)


def test_the_end_cancels_what_runs(serving: Serving, calls: Calls) -> None:
    answer = calls.future("Evaluate", pb.EvaluateRequest(), pb.EvaluateResponse)
    assert serving.methods.evaluating.wait(SECONDS)
    serving.server.finish()
    assert serving.methods.cancelled.is_set()
    assert answer() == pb.EvaluateResponse()


def test_further_calls_are_refused(serving: Serving, calls: Calls) -> None:
    calls.call("Ping", pb.PingRequest(), pb.PongResponse)
    serving.server.finish()
    with pytest.raises(Failure, match="takes no more calls"):
        calls.call("Ping", pb.PingRequest(), pb.PongResponse)
