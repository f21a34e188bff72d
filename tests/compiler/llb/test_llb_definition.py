"""Laws of the LLB encoding over arbitrary graphs, and what is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.compiler.llb.strategies import any_op, graphs, metadata, platforms

from pybuild.compiler import ops
from pybuild.compiler.frozenmap import FrozenMap
from pybuild.compiler.graph import Edge, Metadata, Vertex, walk
from pybuild.compiler.llb.decode import (
    EmptyDefinition,
    ReceivedVertex,
    decode_definition,
    decode_metadata,
    decode_op,
)
from pybuild.compiler.llb.encode import (
    encode_definition,
    encode_metadata,
    encode_op,
    unique_vertices,
)
from pybuild.compiler.llb.wire import DefinitionError, block, fields, mapping, varint
from pybuild.lang.source import Source, Span

EXAMPLES = settings(max_examples=40, deadline=None)


def comparable(record: Metadata) -> object:
    """Metadata with spans by value: a span's equality asks for the same source object."""
    spans = [(s.source.name, s.source.text, s.line, s.column, s.end_line, s.end_column) for s in record.spans]
    return (record.ignore_cache, record.description, record.export_cache, record.caps), (
        record.progress_group,
        record.linux_resources,
        spans,
    )


@EXAMPLES
@given(graphs())
def test_decoding_gives_the_graph_back(edge: Edge) -> None:
    data = encode_definition(edge)
    back = decode_definition(data)
    assert (back.vertex.digest, back.index) == (edge.vertex.digest, edge.index)
    before, after = unique_vertices(edge), unique_vertices(back)
    assert [v.digest for v in before] == [v.digest for v in after]
    for one, other in zip(before, after, strict=True):
        assert one.op == other.op
        assert (one.platform, one.constraints) == (other.platform, other.constraints)
        assert one.inputs == other.inputs
        assert comparable(one.metadata) == comparable(other.metadata)
        assert not isinstance(other, ReceivedVertex)
    assert encode_definition(back) == data


@EXAMPLES
@given(any_op, platforms | st.none())
def test_members_of_a_oneof_stand_last(op: Any, platform: ops.Platform | None) -> None:
    payload = encode_op(Vertex(op, (Edge(Vertex(ops.SourceOp("s"))),), platform))
    order = [field for field, _, _ in fields("pb.Op", payload)]
    assert order[-1] in range(2, 9)
    assert order[:-1] == sorted(order[:-1])
    assert set(order[:-1]) <= {1, 10, 11}
    if isinstance(op, ops.FileOp):
        (_, _, message) = list(fields("pb.Op", payload))[-1]
        assert isinstance(message, bytes)
        for _, _, action in fields("pb.FileOp", message):
            assert isinstance(action, bytes)
            inner = [field for field, _, _ in fields("pb.FileAction", action)]
            assert inner[:-1] == sorted(inner[:-1])
            assert inner[-1] in range(4, 9)


@EXAMPLES
@given(st.permutations([("b", "1"), ("a", "2"), ("", "3"), ("ab", ""), ("\u00e9", "4"), ("\U00010000", "5")]))
def test_the_order_of_insertion_into_a_map_does_not_count(items: list[tuple[str, str]]) -> None:
    attrs: Any = dict(items)
    payload = Vertex(ops.SourceOp("s", attrs)).payload
    ordered: Any = FrozenMap(dict(sorted(items)))
    assert payload == Vertex(ops.SourceOp("s", ordered)).payload
    (_, _, message) = list(fields("pb.Op", payload))[-1]
    assert isinstance(message, bytes)
    entries = [value for field, _, value in fields("pb.SourceOp", message) if field == 2]
    keys = [next(iter(fields("entry", entry)))[2] for entry in entries if isinstance(entry, bytes)]
    assert keys == sorted(keys, key=bytes)
    assert len(keys) == len(items)


def test_map_keys_are_ordered_by_bytes() -> None:
    """In UTF-16 U+10000 would stand before U+FFFF, in UTF-8 it stands behind it."""
    data = mapping(1, {"\U00010000": b"", "\uffff": b""}, lambda value: value)
    assert data.index("\uffff".encode()) < data.index("\U00010000".encode())


@EXAMPLES
@given(graphs(max_vertices=3), st.data())
def test_metadata_is_not_identity(edge: Edge, data: st.DataObject) -> None:
    record = data.draw(metadata([Source("Dockerfile", "x")]))
    changed = edge.vertex.with_metadata(record)
    assert changed.digest == edge.vertex.digest


@EXAMPLES
@given(metadata([Source("Dockerfile", "a\nb\n")]))
def test_metadata_round_trip(record: Metadata) -> None:
    plain = decode_metadata(encode_metadata(record))
    assert comparable(plain)[0] == comparable(record)[0]  # type: ignore[index]
    assert encode_metadata(plain) == encode_metadata(record)


def test_absent_and_empty_are_two_identities() -> None:
    op = ops.SourceOp("s")
    payloads = [
        Vertex(op, (), platform, constraints).payload
        for platform in (None, ops.Platform())
        for constraints in (None, (), ("",))
    ]
    assert len(set(payloads)) == 6
    for payload in payloads:
        found, _, platform, constraints = decode_op(payload)
        assert found is not None
        assert Vertex(found, (), platform, constraints).payload == payload


def test_equal_vertices_are_written_once_with_merged_metadata() -> None:
    source = Source("Dockerfile", "FROM a\nFROM a\n")
    one = Vertex(ops.SourceOp("a"), metadata=described("x", Span(source, 1, 1, 1, 7), ignore_cache=True))
    two = Vertex(ops.SourceOp("a"), metadata=described("y", Span(source, 2, 1, 2, 7)))
    edge = Edge(Vertex(ops.MergeOp((0, 1)), (Edge(one), Edge(two))))
    back = decode_definition(encode_definition(edge))
    merged = back.vertex.inputs[0].vertex
    assert len(list(walk([back]))) == 2
    assert merged.metadata.ignore_cache
    assert merged.metadata.description == {"name": "y"}
    assert [span.line for span in merged.metadata.spans] == [1, 2]


def described(name: str, span: Span, *, ignore_cache: bool = False) -> Metadata:
    description: Any = {"name": name}
    return Metadata(ignore_cache=ignore_cache, description=description, spans=(span,))


@pytest.mark.parametrize(
    ("span", "back"),
    [
        ((1, 1, 1, 7), (1, 1, 1, 7)),
        ((1, 1, 2, 6), (1, 1, 2, 6)),
        ((1, 1, 3, 1), (1, 1, 2, 6)),
        ((2, 1, 2, 4), (2, 1, 2, 4)),
        ((2, 3, 2, 6), (2, 3, 2, 6)),
        ((1, 2, 2, 1), (1, 2, 1, 7)),
        ((9, 1, 9, 1), (9, 1, 9, 1)),
    ],
    ids=["line", "lines", "up to the next line", "part", "to the end", "part to the next line", "beyond"],
)
def test_spans(span: tuple[int, int, int, int], back: tuple[int, int, int, int]) -> None:
    """What is covered comes back the same; an end at a line's start becomes the end of the line before."""
    source = Source("Dockerfile", "FROM a\nRUN b\n")
    edge = Edge(Vertex(ops.SourceOp("a"), metadata=Metadata(spans=(Span(source, *span),))))
    (found,) = decode_definition(encode_definition(edge)).vertex.metadata.spans
    assert (found.line, found.column, found.end_line, found.end_column) == back
    assert found.source.text == source.text


def test_a_source_that_is_not_utf8_keeps_its_bytes() -> None:
    source = Source("Dockerfile", b"FROM a # \xff\n".decode("utf-8", "surrogateescape"))
    edge = Edge(Vertex(ops.SourceOp("a"), metadata=Metadata(spans=(Span(source, 1, 1, 1, 3),))))
    data = encode_definition(edge)
    assert b"FROM a # \xff\n" in data
    assert encode_definition(decode_definition(data)) == data


def test_scratch_is_the_empty_definition() -> None:
    assert encode_definition(None) == b""
    with pytest.raises(EmptyDefinition):
        decode_definition(b"")


def test_deep_graphs_need_no_recursion() -> None:
    edge = Edge(Vertex(ops.SourceOp("s")))
    for number in range(3000):
        edge = Edge(Vertex(ops.MergeOp((number,)), (edge,)))
    data = encode_definition(edge)
    assert encode_definition(decode_definition(data)) == data


# Bytes of other clients


def definition(*payloads: bytes) -> bytes:
    """A definition of these ops, whose result is the last one's output 0."""
    digest = "sha256:" + hashlib.sha256(payloads[-1]).hexdigest()
    terminal = block(1, block(1, digest.encode()))
    return b"".join(block(1, payload) for payload in (*payloads, terminal))


def by_number(payload: bytes) -> bytes:
    """An op with its fields in the order of their numbers, oneof or not: what gogo-protobuf writes."""
    parts = sorted(fields("pb.Op", payload), key=lambda part: part[0])
    return b"".join(block(field, value) for field, _, value in parts if isinstance(value, bytes))


def pieces(payload: bytes) -> bytes:
    """The same op with its source in two pieces and a number in more bytes than it needs."""
    source = b"\x1a\x83\x00\x0a\x01a"
    return source + b"\x1a\x07\x12\x05\x0a\x01k\x12\x00"


@pytest.mark.parametrize("rewrite", [by_number, pieces])
def test_bytes_that_are_not_canonical_keep_their_identity(rewrite: Callable[[bytes], bytes]) -> None:
    attrs: Any = {"k": ""}
    canonical = Vertex(ops.SourceOp("a", attrs), (), ops.Platform("amd64"), None).payload
    if rewrite is pieces:
        canonical = Vertex(ops.SourceOp("a", attrs), (), None, None).payload
    sent = rewrite(canonical)
    digest = "sha256:" + hashlib.sha256(sent).hexdigest()
    assert sent != canonical
    user = Vertex(ops.MergeOp((0,)), (Edge(named(digest)),)).payload
    back = decode_definition(definition(sent, user))
    received = back.vertex.inputs[0].vertex
    assert received.op == ops.SourceOp("a", attrs)
    assert received.digest == digest
    assert received.with_metadata(Metadata(ignore_cache=True)).digest == digest
    again = decode_definition(encode_definition(back))
    assert again.vertex.digest == back.vertex.digest
    assert again.vertex.inputs[0].vertex.payload == sent


def named(digest: str) -> Vertex:
    vertex = Vertex(ops.SourceOp())
    vertex.__dict__["digest"] = digest
    return vertex


def test_numbers_may_be_unpacked_and_the_last_scalar_counts() -> None:
    meta = b"\x60\x01\x60\xff\xff\xff\xff\x0f\x62\x01\x03\x1a\x01a\x1a\x01b"
    op, *_ = decode_op(block(2, block(1, meta)))
    assert isinstance(op, ops.ExecOp)
    assert op.meta.valid_exit_codes == (1, -1, 3)
    assert op.meta.cwd == "b"


def test_the_last_member_of_a_oneof_counts() -> None:
    op, *_ = decode_op(block(3, b"\x0a\x01a") + block(6, b"") + block(3, b"\x0a\x01b"))
    assert op == ops.SourceOp("b")
    user = block(1, b"\x0a\x01u") + b"\x10\x05"
    copy = block(3, block(1, user) + block(2, b"\x10\x05" + block(1, b"\x0a\x01u")))
    op, *_ = decode_op(block(4, block(2, block(4, copy))))
    assert isinstance(op, ops.FileOp)
    assert isinstance(op.actions[0].action, ops.Copy)
    assert op.actions[0].action.owner == ops.ChownOpt(5, ops.NamedUser("u"))


# What is refused

REFUSED: dict[str, tuple[bytes, str]] = {
    "unknown field of an op": (block(9, b"x"), "pb.Op: unknown field 9"),
    "unknown field of a mount": (
        block(2, block(2, b"\x38\x01")),
        "pb.Mount: unknown field 7",
    ),
    "unknown field of a map entry": (
        block(3, block(2, b"\x18\x01")),
        "pb.SourceOp entry of field 2: unknown field 3",
    ),
    "unknown enum value": (block(2, b"\x18\x07"), "pb.ExecOp: field 3 has the value 7"),
    "file action of no kind": (block(4, block(2, b"\x08\x01")), "pb.FileAction: no action"),
    "diff without a side": (block(7, block(1, b"")), "pb.DiffOp: no upper side"),
    "negative output": (block(1, b"\x0a\x01a\x10" + varint(-1)), "pb.Input: output -1 of a"),
    "text that is not UTF-8": (block(3, b"\x0a\x01\xff"), "pb.SourceOp: field 1 is not valid UTF-8"),
    "wrong wire type": (b"\x18\x01", "pb.Op: field 3 has the wrong wire type 0"),
    "string as a number": (block(3, b"\x08\x01"), "pb.SourceOp: field 1 has the wrong wire type 0"),
    "cut off": (b"\x1a\x05\x0a", "pb.Op: field 3 is cut off: 5 bytes announced, 1 left"),
    "cut off number": (b"\x1a\x85", "pb.Op: a number is cut off"),
    "long number": (b"\x1a" + b"\xff" * 11, "pb.Op: a number at byte 11 is longer than 64 bits"),
    "group": (b"\x1b\x1c", "pb.Op: field 3 has the wire type 3"),
    "field 0": (b"\x00\x00", "pb.Op: 0 is no field number"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_ops(name: str) -> None:
    payload, message = REFUSED[name]
    with pytest.raises(DefinitionError) as caught:
        decode_op(payload)
    assert message in str(caught.value)
    with pytest.raises(DefinitionError):
        decode_definition(definition(payload))


SOURCE = Vertex(ops.SourceOp("s")).payload

REFUSED_DEFINITIONS: dict[str, tuple[bytes, str]] = {
    "missing input": (definition(Vertex(ops.MergeOp((0,)), (Edge(named("sha256:0")),)).payload), "sha256:0"),
    "no last op": (block(1, SOURCE), "the last op"),
    "two results": (
        block(1, SOURCE) + block(1, block(1, b"\x0a\x01a") * 2),
        "the last op of a definition has to name one input",
    ),
    "op without a kind inside": (definition(b"\x5a\x00"), "has no kind"),
    "source map beyond the files": (
        definition(SOURCE) + block(3, block(1, block(2, block(1, b"\x08\x03")))),
        "file 3 of 0",
    ),
}


@pytest.mark.parametrize("name", REFUSED_DEFINITIONS)
def test_refused_definitions(name: str) -> None:
    payload, message = REFUSED_DEFINITIONS[name]
    with pytest.raises(DefinitionError) as caught:
        decode_definition(payload)
    assert message in str(caught.value)


def test_unknown_fields_outside_ops_are_skipped() -> None:
    vertex = Vertex(ops.SourceOp("s"))
    entry = block(1, vertex.digest.encode()) + block(2, b"\x08\x01\x98\x06\x01")
    data = definition(SOURCE) + block(2, entry) + block(7, b"later")
    assert decode_definition(data).vertex.metadata == Metadata(ignore_cache=True)


@pytest.mark.parametrize(
    "op",
    [
        ops.SourceOp("\udcff"),
        ops.FileOp((ops.FileAction(action=ops.MkDir(mode=2**31)),)),
        ops.FileOp((ops.FileAction(action=ops.Rm(), input=2**63),)),
        ops.FileOp((ops.FileAction(action=ops.Copy(owner=ops.ChownOpt(-1))),)),
        ops.ExecOp(ops.Meta(valid_exit_codes=(2**31,))),
    ],
    ids=["text", "int32", "int64", "uint32", "packed"],
)
def test_values_without_an_encoding(op: Any) -> None:
    with pytest.raises(DefinitionError):
        encode_op(Vertex(op))


def corruptions(data: bytes, draw: Callable[[Any], Any]) -> Iterator[bytes]:
    cut = draw(st.integers(0, max(len(data) - 1, 0)))
    yield data[:cut]
    yield data[:cut] + bytes([draw(st.integers(0, 255))]) + data[cut + 1 :]
    yield data[:cut] + draw(st.binary(max_size=3)) + data[cut:]


@settings(max_examples=120, deadline=None)
@given(graphs(max_vertices=3), st.data())
def test_corrupt_definitions_are_refused_or_sound(edge: Edge, data: st.DataObject) -> None:
    """Only `DefinitionError` is raised, and what is accepted stands on the hashes of the bytes given."""
    for corrupt in corruptions(encode_definition(edge), data.draw):
        try:
            back = decode_definition(corrupt)
        except DefinitionError:
            continue
        given_bytes = {value for field, _, value in fields("pb.Definition", corrupt) if field == 1}
        for vertex in walk([back]):
            assert vertex.payload in given_bytes


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=40))
def test_random_bytes(data: bytes) -> None:
    for read in (decode_definition, decode_op, decode_metadata):
        try:
            read(data)
        except DefinitionError:
            pass
