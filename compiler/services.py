"""The methods of gRPC services by their protobuf descriptors: paths, message types, streaming.

Needs the extra `pybuild[buildkit]`.
"""

from __future__ import annotations

from attrs import frozen
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass


@frozen
class Method:
    """A method of a gRPC service; `path` is `/package.Service/Name`."""

    name: str
    path: str
    request: type[Message]
    response: type[Message]
    client_streaming: bool
    server_streaming: bool


def methods(service: ServiceDescriptor) -> dict[str, Method]:
    """Return the methods of a service by name."""
    return {method.name: _method(service, method) for method in service.methods}


def _method(service: ServiceDescriptor, method: MethodDescriptor) -> Method:
    return Method(
        method.name,
        f"/{service.full_name}/{method.name}",
        GetMessageClass(method.input_type),
        GetMessageClass(method.output_type),
        method.client_streaming,
        method.server_streaming,
    )
