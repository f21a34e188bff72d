"""Decoding of LLB bytes to graphs. Canonical bytes are the same again after decoding and encoding.

The digest of a vertex is the hash of the bytes that were sent, so a vertex whose bytes aren't canonical keeps them.
"""

from __future__ import annotations

from attrs import evolve, frozen

from pybuild.compiler.graph import Edge, LinuxResources, Metadata, ProgressGroup, Vertex
from pybuild.compiler.llb.decode_ops import OPS, decode_platform, last_member
from pybuild.compiler.llb.encode import encode_op
from pybuild.compiler.llb.sourcemap import decode_source
from pybuild.compiler.llb.wire import MAX_SIZE, DefinitionError, Message
from pybuild.compiler.ops import Op, Platform
from pybuild.lang.source import Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Input = tuple[str, int]
"""The digest of a vertex and the number of its output."""


class EmptyDefinition(DefinitionError):
    """A definition without ops, which stands for the empty file system: there is no edge for it."""


@frozen(slots=False, eq=False)
class ReceivedVertex(Vertex):
    """A vertex that a client sent in bytes which differ from the canonical ones of its op.

    The sent bytes stay its payload when the metadata changes. Any other change (`attrs.evolve`) makes a vertex with
    the canonical encoding.
    """

    def with_metadata(self, metadata: Metadata) -> Vertex:
        return _with_payload(evolve(self, metadata=metadata), self.payload)


def received_vertex(
    payload: bytes,
    op: Op,
    inputs: tuple[Edge, ...],
    platform: Platform | None,
    constraints: tuple[str, ...] | None,
    metadata: Metadata,
) -> Vertex:
    """Return a vertex whose digest is the hash of `payload`; the other arguments are the decoded parts of
    `payload`."""
    plain = Vertex(op, inputs, platform, constraints, metadata)
    if encode_op(plain) == payload:
        return _with_payload(plain, payload)
    return _with_payload(ReceivedVertex(op, inputs, platform, constraints, metadata), payload)


def _with_payload(vertex: Vertex, payload: bytes) -> Vertex:
    vertex.__dict__["payload"] = payload
    return vertex


def decode_op(
    payload: bytes,
) -> tuple[Op | None, tuple[Input, ...], Platform | None, tuple[str, ...] | None]:
    """Decode `pb.Op` bytes to op, inputs, platform and constraints. The terminal op of a definition has the op None.

    Raises `DefinitionError` for malformed bytes, unknown fields and negative output numbers.
    """
    m = Message("pb.Op", payload, (1, 10, 11, *OPS))
    inputs = []
    for value in m.messages(1):
        part = Message("pb.Input", value, (1, 2))
        digest, index = part.text(1), part.int64(2)
        if index < 0:
            raise DefinitionError(f"pb.Input: output {index} of {digest} is negative")
        inputs.append((digest, index))
    platform, constraints = m.message(10), m.message(11)
    return (
        last_member("pb.Op", payload, OPS),
        tuple(inputs),
        None if platform is None else decode_platform(platform),
        None if constraints is None else Message("pb.WorkerConstraints", constraints, (1,)).texts(1),
    )


def decode_definition(payload: bytes) -> Edge:
    """Decode `pb.Definition` bytes to the edge of the result, with the metadata and spans of every vertex.

    Unknown fields of the definition and of metadata are skipped, unknown fields of ops refused. Ops that the result
    doesn't need are left out. Raises `EmptyDefinition`, and `DefinitionError` for anything malformed, such as an
    input that isn't in the definition or a terminal op that doesn't name exactly one input.
    """
    if len(payload) > MAX_SIZE:
        raise DefinitionError(f"a definition of {len(payload)} bytes is over the limit of {MAX_SIZE}")
    m = Message("pb.Definition", payload, (1, 2, 3), strict=False)
    payloads = m.messages(1)
    if not payloads:
        raise EmptyDefinition("the definition has no ops: it is the empty file system")
    op, inputs, _, _ = decode_op(payloads[-1])
    if op is not None or len(inputs) != 1:
        raise DefinitionError(
            "the last op of a definition has to name one input and nothing else",
            help="a definition ends with a pb.Op without an op that points to the result",
        )
    records = m.mapping(2, lambda entry: decode_metadata(entry.message(2) or b""), strict=False)
    spans = decode_source(m.message(3) or b"")
    vertices = _Vertices(payloads[:-1], records, spans)
    (digest, index) = inputs[0]
    return Edge(vertices.vertex(digest), index)


def decode_metadata(payload: bytes) -> Metadata:
    """Decode `pb.OpMetadata` bytes; unknown fields are skipped."""
    m = Message("pb.OpMetadata", payload, (1, 2, 4, 5, 6, 7), strict=False)
    export, group, resources = m.message(4), m.message(6), m.message(7)
    description: Any = m.mapping(2, lambda entry: entry.text(2), strict=False)
    caps: Any = m.mapping(5, lambda entry: entry.boolean(2), strict=False)
    return Metadata(
        ignore_cache=m.boolean(1),
        description=description,
        export_cache=(
            None if export is None else Message("pb.ExportCache", export, (1,), strict=False).boolean(1)
        ),
        caps=caps,
        progress_group=None if group is None else decode_progress_group(group),
        linux_resources=None if resources is None else _linux_resources(resources),
    )


def decode_progress_group(payload: bytes) -> ProgressGroup:
    m = Message("pb.ProgressGroup", payload, (1, 2, 3), strict=False)
    return ProgressGroup(m.text(1), m.text(2), m.boolean(3))


def _linux_resources(payload: bytes) -> LinuxResources:
    m = Message("pb.LinuxResources", payload, range(1, 8), strict=False)
    return LinuxResources(m.int64(1), m.int64(2), m.uint64(3), m.uint64(4), m.int64(5), m.text(6), m.text(7))


class _Vertices:
    """The vertices of a definition, made once each, inputs first and without recursion.

    There are no cycles to look for: an op names its inputs by the hash of their bytes, so none can be its own
    ancestor.
    """

    def __init__(
        self, payloads: list[bytes], records: dict[str, Metadata], spans: dict[str, tuple[Span, ...]]
    ) -> None:
        self._payloads = {digest_of(payload): payload for payload in payloads}
        self._records = records
        self._spans = spans
        self._vertices: dict[str, Vertex] = {}

    def vertex(self, digest: str) -> Vertex:
        # An op is decoded at its first visit and made at its second one, when all of its inputs are made.
        opened: dict[str, tuple[Op, tuple[Input, ...], Platform | None, tuple[str, ...] | None]] = {}
        stack = [digest]
        while stack:
            current = stack[-1]
            if current in self._vertices:
                stack.pop()
            elif current in opened:
                stack.pop()
                self._vertices[current] = self._make(current, *opened.pop(current))
            else:
                op, inputs, platform, constraints = decode_op(self._payload(current))
                if op is None:
                    raise DefinitionError(f"the op {current} has no kind, and is not the last one")
                opened[current] = op, inputs, platform, constraints
                stack.extend(name for name, _ in reversed(inputs) if name not in self._vertices)
        return self._vertices[digest]

    def _payload(self, digest: str) -> bytes:
        payload = self._payloads.get(digest)
        if payload is None:
            raise DefinitionError(f"the op {digest} is an input but not in the definition")
        return payload

    def _make(
        self,
        digest: str,
        op: Op,
        inputs: tuple[Input, ...],
        platform: Platform | None,
        constraints: tuple[str, ...] | None,
    ) -> Vertex:
        edges = tuple(Edge(self._vertices[name], index) for name, index in inputs)
        metadata = self._records.get(digest, Metadata())
        if digest in self._spans:
            metadata = evolve(metadata, spans=self._spans[digest])
        return received_vertex(self._payloads[digest], op, edges, platform, constraints, metadata)


def digest_of(payload: bytes) -> str:
    """Return `sha256:` and the hash of an op's bytes."""
    from hashlib import sha256

    return "sha256:" + sha256(payload).hexdigest()
