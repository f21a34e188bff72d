"""Conversion between values and protobuf messages of `pb`, by the wire encoding. Needs `pybuild[buildkit]`."""

from __future__ import annotations

from pybuild.compiler.llb.decode_ops import decode_platform
from pybuild.compiler.llb.encode import encode_definition, encode_platform
from pybuild.compiler.protos import ops_pb2

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.compiler.graph import Edge
    from pybuild.compiler.ops import Platform


def definition_message(edge: Edge | None) -> ops_pb2.Definition:
    return ops_pb2.Definition.FromString(encode_definition(edge))


def platform_message(platform: Platform) -> ops_pb2.Platform:
    return ops_pb2.Platform.FromString(encode_platform(platform))


def platform_of(message: ops_pb2.Platform) -> Platform:
    return decode_platform(message.SerializeToString())
