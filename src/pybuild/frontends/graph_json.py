"""A graph as JSON for clients: protobuf's JSON mapping of each op, of its metadata and of the source map.
Needs the extra `pybuild[buildkit]`."""

from __future__ import annotations

from hashlib import sha256

from google.protobuf.json_format import MessageToDict

from pybuild.compiler.graph import Edge
from pybuild.compiler.llb.encode import encode_definition
from pybuild.compiler.protos.ops_pb2 import Definition, Op, OpMetadata


def graph_object(edge: Edge | None) -> dict[str, object]:
    """Return an object with `def` and `metadata` by digest, and `source`."""
    definition = Definition.FromString(encode_definition(edge))
    ops = {}
    for data in definition.__getattribute__("def"):
        ops["sha256:" + sha256(data).hexdigest()] = MessageToDict(Op.FromString(data))
    return {
        "def": ops,
        "metadata": {digest: _metadata(metadata) for digest, metadata in definition.metadata.items()},
        "source": MessageToDict(definition.Source),
    }


def _metadata(metadata: OpMetadata) -> dict[str, object]:
    return MessageToDict(metadata, preserving_proto_field_name=True)
