"""A graph as JSON for clients that want to see it: protobuf's mapping of each op, of its metadata and of the source
map. Needs the extra `pybuild[buildkit]`."""

from __future__ import annotations

from hashlib import sha256

from google.protobuf.json_format import MessageToDict

from pybuild.compiler.graph import Edge
from pybuild.compiler.llb.encode import encode_definition
from pybuild.compiler.protos.ops_pb2 import Definition, Op, OpMetadata


def graph_object(edge: Edge | None) -> dict[str, object]:
    """`def` and `metadata` by digest, `source`."""
    definition = Definition.FromString(encode_definition(edge))
    ops = {}
    for data in definition.__getattribute__("def"):
        ops["sha256:" + sha256(data).hexdigest()] = MessageToDict(Op.FromString(data))
    return {
        "def": ops,
        "metadata": {digest: _metadata(one) for digest, one in definition.metadata.items()},
        "source": MessageToDict(definition.Source),
    }


def _metadata(metadata: OpMetadata) -> dict[str, object]:
    return MessageToDict(metadata, preserving_proto_field_name=True)
