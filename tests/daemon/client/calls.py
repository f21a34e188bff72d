"""Calling the methods of a gRPC service by name, from its description."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar, cast

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from tests.daemon.client.failure import failure_of

from pybuild.compiler.services import Method, methods

M = TypeVar("M", bound=Message)
Metadata = Sequence[tuple[str, str]]

SECONDS = 120.0
"""How long a call may take unless it says otherwise: a test that hangs says where."""


class Answers(Iterator[M]):
    """The answers of a call that goes on. Raises Failure."""

    def __init__(self, call: Any) -> None:
        self._call = call

    def __next__(self) -> M:
        try:
            return cast(M, next(self._call))
        except grpc.RpcError as error:
            raise failure_of(error) from None

    def cancel(self) -> None:
        """Hang up. Idempotent."""
        self._call.cancel()


class Calls:
    """One service behind a channel; `metadata` goes with each call."""

    def __init__(self, channel: grpc.Channel, service: ServiceDescriptor, metadata: Metadata = ()) -> None:
        self._channel = channel
        self._methods = methods(service)
        self._metadata = tuple(metadata)

    def call(
        self,
        name: str,
        request: Message,
        response: type[M],
        *,
        metadata: Metadata = (),
        timeout: float | None = SECONDS,
    ) -> M:
        """A call with one answer. Raises Failure."""
        return self.future(name, request, response, metadata=metadata, timeout=timeout)()

    def future(
        self,
        name: str,
        request: Message,
        response: type[M],
        *,
        metadata: Metadata = (),
        timeout: float | None = SECONDS,
    ) -> Pending[M]:
        """The same, begun and not waited for."""
        method = self._method(name, response)
        call = self._channel.unary_unary(method.path, _write, method.response.FromString)
        return Pending(call.future(request, timeout, (*self._metadata, *metadata)))

    def answers(
        self,
        name: str,
        request: Message,
        response: type[M],
        *,
        metadata: Metadata = (),
        timeout: float | None = SECONDS,
    ) -> Answers[M]:
        """A call with one request and many answers."""
        method = self._method(name, response)
        call = self._channel.unary_stream(method.path, _write, method.response.FromString)
        return Answers(call(request, timeout, (*self._metadata, *metadata)))

    def stream(
        self,
        name: str,
        requests: Iterable[Message],
        response: type[M],
        *,
        metadata: Metadata = (),
        timeout: float | None = SECONDS,
    ) -> Answers[M]:
        """A call with many messages both ways. `requests` is read in a thread of grpcio's."""
        method = self._method(name, response)
        call = self._channel.stream_stream(method.path, _write, method.response.FromString)
        return Answers(call(iter(requests), timeout, (*self._metadata, *metadata)))

    def _method(self, name: str, response: type[Message]) -> Method:
        method = self._methods[name]
        assert method.response.DESCRIPTOR is response.DESCRIPTOR, f"{name} answers {method.response}"
        return method


class Pending(Generic[M]):
    """A call that has begun; calling it waits for the answer."""

    def __init__(self, future: Any) -> None:
        self._future = future

    def __call__(self) -> M:
        """Raises Failure."""
        try:
            return cast(M, self._future.result())
        except grpc.RpcError as error:
            raise failure_of(error) from None
        except grpc.FutureCancelledError:
            raise failure_of(self._future) from None

    def done(self) -> bool:
        return bool(self._future.done())

    def cancel(self) -> None:
        with suppress(grpc.RpcError):
            self._future.cancel()


def _write(message: Message) -> bytes:
    return message.SerializeToString()
