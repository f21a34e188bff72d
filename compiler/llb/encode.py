"""Encoding of graphs as LLB: `pb.Op` bytes of a vertex, `pb.Definition` bytes of a graph.

The encoding is canonical and equal to that of BuildKit's Go client, so that digests are equal: fields by number, the
member of a oneof after all other fields of its message, map entries by key, zero values left out, present messages
always written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pybuild.compiler.graph import Edge, LinuxResources, Metadata, ProgressGroup, Vertex
from pybuild.compiler.llb.encode_ops import OPS
from pybuild.compiler.llb.sourcemap import encode_source
from pybuild.compiler.llb.wire import block, mapping, number, present_number, shown, text, texts, uint64
from pybuild.compiler.ops import Platform


def encode_op(vertex: Vertex) -> bytes:
    """Encode a vertex as canonical `pb.Op` bytes: inputs, platform, constraints, then the op (a oneof).

    Raises `DefinitionError` for text that isn't Unicode, or a number out of its type's range.
    """
    field, write = OPS[type(vertex.op)]
    return b"".join(
        (
            *(block(1, _input(edge)) for edge in vertex.inputs),
            b"" if vertex.platform is None else block(10, encode_platform(vertex.platform)),
            b"" if vertex.constraints is None else block(11, texts(1, vertex.constraints)),
            block(field, write(vertex.op)),
        )
    )


def encode_definition(edge: Edge | None) -> bytes:
    """Encode a graph as `pb.Definition` bytes: the ops, inputs first, then a terminal op that points to `edge`.

    The empty file system (None) is the empty definition. Vertices with equal digests become one op; their metadata is
    merged, and the later one wins, as in BuildKit.
    """
    if edge is None:
        return b""
    vertices = unique_vertices(edge)
    metadata = {vertex.digest: vertex.metadata for vertex in vertices}
    terminal = block(1, _input(edge))
    spans = {digest: record.spans for digest, record in metadata.items()}
    metadata[_digest(terminal)] = _terminal_metadata(metadata)
    return b"".join(
        (
            *(block(1, vertex.payload) for vertex in vertices),
            block(1, terminal),
            mapping(2, metadata, lambda record: block(2, encode_metadata(record))),
            block(3, encode_source(spans)),
        )
    )


def unique_vertices(edge: Edge) -> list[Vertex]:
    """Return the vertices that `edge` needs, inputs first. Equal ones appear once, with merged metadata."""
    unique: dict[str, Vertex] = {}
    for vertex in _vertices(edge.vertex):
        known = unique.get(vertex.digest)
        if known is None:
            unique[vertex.digest] = vertex
        elif known.metadata != vertex.metadata:
            unique[vertex.digest] = known.with_metadata(_merged(known.metadata, vertex.metadata))
    return list(unique.values())


def encode_metadata(metadata: Metadata) -> bytes:
    """Encode metadata as `pb.OpMetadata` bytes. Spans are left out: they go to the definition's source map."""
    out = number(1, metadata.ignore_cache)
    out += mapping(2, metadata.description, lambda value: block(2, shown(value)))
    if metadata.export_cache is not None:
        out += block(4, number(1, metadata.export_cache))
    out += mapping(5, metadata.caps, lambda value: present_number(2, value))
    if metadata.progress_group is not None:
        out += block(6, encode_progress_group(metadata.progress_group))
    if metadata.linux_resources is not None:
        out += block(7, _linux_resources(metadata.linux_resources))
    return out


def encode_platform(platform: Platform) -> bytes:
    return b"".join(
        (
            text(1, platform.architecture),
            text(2, platform.os),
            text(3, platform.variant),
            text(4, platform.os_version),
            texts(5, platform.os_features),
        )
    )


def encode_progress_group(group: ProgressGroup) -> bytes:
    return text(1, group.id) + text(2, group.name) + number(3, group.weak)


def _digest(payload: bytes) -> str:
    from hashlib import sha256

    return "sha256:" + sha256(payload).hexdigest()


def _vertices(root: Vertex) -> Iterator[Vertex]:
    """Yield every vertex object once, inputs first. Unlike `graph.walk`, equal vertices each appear: metadata
    differs."""
    done: set[int] = set()
    stack = [(root, False)]
    while stack:
        vertex, ready = stack.pop()
        if id(vertex) in done:
            continue
        if ready:
            done.add(id(vertex))
            yield vertex
        else:
            stack.append((vertex, True))
            stack.extend((edge.vertex, False) for edge in reversed(vertex.inputs))


def _merged(first: Metadata, second: Metadata) -> Metadata:
    """Merge the metadata of two vertices that are one op. The spans of both are kept."""
    description: Any = {**first.description, **second.description}
    caps: Any = {**first.caps, **second.caps}
    return Metadata(
        ignore_cache=first.ignore_cache or second.ignore_cache,
        description=description,
        export_cache=first.export_cache if second.export_cache is None else second.export_cache,
        caps=caps,
        progress_group=second.progress_group or first.progress_group,
        linux_resources=second.linux_resources or first.linux_resources,
        spans=tuple(dict.fromkeys(first.spans + second.spans)),
    )


def _terminal_metadata(metadata: dict[str, Metadata]) -> Metadata:
    """Return the metadata of the terminal op: the capabilities that the whole definition needs of a solver."""
    caps = {"constraints", "platform"}
    for record in metadata.values():
        if record.ignore_cache:
            caps.add("meta.ignorecache")
        if record.description:
            caps.add("meta.description")
        if record.export_cache is not None:
            caps.add("meta.exportcache")
    needed: Any = dict.fromkeys(caps, True)
    return Metadata(caps=needed)


def _linux_resources(resources: LinuxResources) -> bytes:
    return b"".join(
        (
            number(1, resources.memory),
            number(2, resources.memory_swap),
            uint64(3, resources.cpu_shares),
            uint64(4, resources.cpu_period),
            number(5, resources.cpu_quota),
            text(6, resources.cpuset_cpus),
            text(7, resources.cpuset_mems),
        )
    )


def _input(edge: Edge) -> bytes:
    return text(1, edge.vertex.digest) + number(2, edge.index)
