"""Makes gRPC handlers of objects that have a coroutine for each method."""

from __future__ import annotations

import grpc

from pybuild.compiler.services import methods

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from typing import Any

    from google.protobuf.descriptor import ServiceDescriptor

    from pybuild.daemon.proxy import Context

    Bytes = Callable[[str, AsyncIterator[bytes], Context], Awaitable[None]]


def service(descriptor: ServiceDescriptor, methods_of: object) -> grpc.GenericRpcHandler:
    """Return the handlers of those methods of a service that `methods_of` has. A streaming method writes its
    answers to its context, as messages or encoded."""
    handlers = {
        name: _handler(getattr(methods_of, name), method)
        for name, method in methods(descriptor).items()
        if hasattr(methods_of, name)
    }
    return grpc.method_handlers_generic_handler(descriptor.full_name, handlers)


class Passing(grpc.GenericRpcHandler):
    """Handles all methods whose paths begin with `prefix`, as bytes: `call(method, requests, context)` writes the
    answers."""

    def __init__(self, prefix: str, call: Bytes) -> None:
        self._prefix = prefix
        self._call = call

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        method = details.method or ""
        if not method.startswith(self._prefix):
            return None

        async def answer(requests: AsyncIterator[bytes], context: Context) -> None:
            await self._call(method, requests, context)

        return grpc.stream_stream_rpc_method_handler(answer)


def _handler(behaviour: Any, method: Any) -> grpc.RpcMethodHandler[Any, Any]:
    kinds = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }
    make: Any = kinds[method.client_streaming, method.server_streaming]
    handler: grpc.RpcMethodHandler[Any, Any] = make(behaviour, method.request.FromString, _encode)
    return handler


def _encode(message: Any) -> bytes:
    return message if isinstance(message, bytes) else bytes(message.SerializeToString())
