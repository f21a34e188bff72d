"""The methods of gRPC services, from their descriptions (`compiler.protos`): paths, message types, streams. Needs the
extra `pybuild[buildkit]`."""

from __future__ import annotations

from attrs import frozen
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass


@frozen
class Method:
    """One method: `path` is `/package.Service/Name`, as gRPC calls it."""

    name: str
    path: str
    request: type[Message]
    response: type[Message]
    client_streaming: bool
    server_streaming: bool


def methods(service: ServiceDescriptor) -> dict[str, Method]:
    """Those of a service, by name."""
    return {one.name: _method(service, one) for one in service.methods}


def _method(service: ServiceDescriptor, found: MethodDescriptor) -> Method:
    return Method(
        found.name,
        f"/{service.full_name}/{found.name}",
        GetMessageClass(found.input_type),
        GetMessageClass(found.output_type),
        found.client_streaming,
        found.server_streaming,
    )
