"""What a daemon answers in place of a result: a gRPC status with typed details."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import grpc
from google.protobuf import json_format
from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message
from google.rpc import status_pb2

M = TypeVar("M", bound=Message)

_DETAILS = "grpc-status-details-bin"
_JSON = "+json"
_NAMES = {"gatewayapi.ExitMessage": "moby.buildkit.v1.frontend.ExitMessage"}


class Failure(Exception):
    """`details` are as they came: `Any` messages, whose type is written with or without an address before it."""

    def __init__(self, code: grpc.StatusCode, message: str, details: Iterable[Any] = ()) -> None:
        super().__init__(f"{code.name}: {message}")
        self.code = code
        self.message = message
        self.details = list(details)

    @property
    def types(self) -> list[str]:
        """The names of the details' types, as `name_of`, without stack traces."""
        names = [name_of(detail) for detail in self.details]
        return [name for name in names if name != "stack.Stack"]

    def all(self, kind: type[M]) -> list[M]:
        """The details of a type, in order."""
        return [read(detail, kind) for detail in self.details if name_of(detail) == kind.DESCRIPTOR.full_name]

    def one(self, kind: type[M]) -> M:
        """The only detail of a type."""
        (found,) = self.all(kind)
        return found


def name_of(detail: Any) -> str:
    """The full name of a detail's type, without an address and without its encoding."""
    name = detail.type_url.rpartition("/")[2].removesuffix(_JSON)
    return _NAMES.get(name, name)


def read(detail: Any, kind: type[M]) -> M:
    """BuildKit writes details as JSON, which their address says."""
    if detail.type_url.endswith(_JSON):
        return json_format.Parse(detail.value, kind(), ignore_unknown_fields=True)
    return kind.FromString(detail.value)


def failure_of(error: grpc.RpcError) -> Failure:
    """The failure that grpcio raised as `error`."""
    assert isinstance(error, grpc.Call)
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS and isinstance(value, bytes):
            return Failure(error.code(), error.details() or "", status_pb2.Status.FromString(value).details)
    return Failure(error.code(), error.details() or "")


def status_of(error: Exception) -> status_pb2.Status:
    """The status by which a frontend in the client returns an error."""
    if isinstance(error, Failure):
        return status_pb2.Status(code=error.code.value[0], message=error.message, details=error.details)
    return status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error))
