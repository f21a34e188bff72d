"""Definitions for the wire, of what the compiler makes."""

from __future__ import annotations

from pybuild.compiler.graph import Edge
from pybuild.compiler.llb.encode import encode_definition
from pybuild.compiler.ops import Platform
from pybuild.compiler.platforms import default
from pybuild.compiler.protos import ops_pb2
from pybuild.compiler.state import State

Graph = State | Edge | ops_pb2.Definition | bytes | None
"""What a solve may be given; None is the empty file system."""


def definition(graph: Graph) -> ops_pb2.Definition:
    """Of a state, an edge, or one that is made already, as a message or its bytes."""
    if isinstance(graph, ops_pb2.Definition):
        return graph
    if isinstance(graph, State):
        graph = graph.edge
    data = graph if isinstance(graph, bytes) else encode_definition(graph)
    return ops_pb2.Definition.FromString(data)


def platform(found: Platform | None = None) -> ops_pb2.Platform:
    """A platform for the wire; by default this machine's."""
    found = found or default()
    return ops_pb2.Platform(Architecture=found.architecture, OS=found.os, Variant=found.variant)
