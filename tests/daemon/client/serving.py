"""Services that a client serves in its session, by their description: which methods, and what answers them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import grpc
from attrs import frozen
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from pybuild.compiler.services import Method, methods

Context = grpc.ServicerContext
Behaviour = Callable[[Any, Context], Any]
"""Takes a request, or an iterator of them, and the call; gives the answer, or an iterator of them."""


@frozen
class Offer:
    """Some methods of a service. With `raw` messages are bytes both ways."""

    service: ServiceDescriptor
    behaviours: Mapping[str, Behaviour]
    raw: bool = False

    @property
    def paths(self) -> list[str]:
        """As a session announces them."""
        return [f"/{self.service.full_name}/{name}" for name in self.behaviours]

    def handler(self) -> grpc.GenericRpcHandler:
        known = methods(self.service)
        found = {name: self._handle(known[name], what) for name, what in self.behaviours.items()}
        return grpc.method_handlers_generic_handler(self.service.full_name, found)

    def without(self, *names: str) -> Offer:
        """The same but for these methods."""
        kept = {name: what for name, what in self.behaviours.items() if name not in names}
        return Offer(self.service, kept, self.raw)

    def _handle(self, method: Method, behaviour: Behaviour) -> Any:
        make = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
            (True, True): grpc.stream_stream_rpc_method_handler,
        }[method.client_streaming, method.server_streaming]
        if self.raw:
            return make(behaviour)
        return make(behaviour, method.request.FromString, _write)


def metadata(context: Context) -> dict[str, list[str]]:
    """What came with a call, by key."""
    found: dict[str, list[str]] = {}
    for key, value in context.invocation_metadata():
        found.setdefault(key, []).append(value if isinstance(value, str) else value.decode("latin-1"))
    return found


def _write(message: Message) -> bytes:
    return message.SerializeToString()
