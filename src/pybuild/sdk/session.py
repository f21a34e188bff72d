"""Binds the local sources of a graph to the client of the build.

A builder that serves many clients finds a directory, or a layout, by the session that the op names. Without one it
may take that of another client whose graph is the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import evolve

from pybuild.compiler.graph import Edge, Vertex, walk
from pybuild.compiler.ops import SourceOp

_SESSIONS = {"local": ("local.session", ("local.unique",)), "oci-layout": ("oci.session", ())}
"""The attributes of each scheme of sources: the one that names the session, and others that make it unnecessary."""


def bound_to_session(edges: Iterable[Edge | None], session: str) -> list[Edge | None]:
    """Return the same edges of a graph in which directories and layouts are the `session`'s, unless an op names
    another."""
    edges = list(edges)
    bound: dict[str, Vertex] = {}
    for vertex in walk(edge for edge in edges if edge is not None):
        bound[vertex.digest] = _vertex(vertex, bound, session)
    return [None if edge is None else evolve(edge, vertex=bound[edge.vertex.digest]) for edge in edges]


def _vertex(vertex: Vertex, bound: Mapping[str, Vertex], session: str) -> Vertex:
    inputs = tuple(evolve(edge, vertex=bound[edge.vertex.digest]) for edge in vertex.inputs)
    op = _source(vertex.op, session) if isinstance(vertex.op, SourceOp) else vertex.op
    if op is vertex.op and all(
        new_edge.vertex is old_edge.vertex for new_edge, old_edge in zip(inputs, vertex.inputs, strict=True)
    ):
        return vertex
    return Vertex(op, inputs, vertex.platform, vertex.constraints, vertex.metadata)


def _source(op: SourceOp, session: str) -> SourceOp:
    scheme = op.identifier.partition("://")[0]
    key, exempting = _SESSIONS.get(scheme, ("", ()))
    if not key or any(name in op.attrs for name in (key, *exempting)):
        return op
    attrs: Any = {**op.attrs, key: session}
    return evolve(op, attrs=attrs)
