"""Build ops, whose definition is a file of another state, and passthrough ops."""

from __future__ import annotations

from typing import Any

import pytest
from tests.runtime.cache.conftest import Place, context, copied, made, named

from pybuild.compiler.graph import Edge, Metadata, Vertex
from pybuild.compiler.llb.encode import encode_definition
from pybuild.compiler.ops import EMPTY, BuildOp, FileAction, FileOp, MkFile, PassthroughOp

pytestmark = pytest.mark.root

INPUT = "buildkit.llb.definition"


def holding(definition: bytes, name: str = INPUT) -> Edge:
    action = FileAction(EMPTY, EMPTY, 0, MkFile("/" + name, 0o644, definition, timestamp=0))
    return Edge(Vertex(FileOp((action,)), metadata=Metadata(description=named("hold"))))


def built(holder: Edge, filename: str = "", **fields: Any) -> Edge:
    attrs: Any = {"llbbuild.filename": filename} if filename else {}
    inputs: Any = {INPUT: 0}
    op = BuildOp(**{"builder": EMPTY, "inputs": inputs, "attrs": attrs, **fields})
    return Edge(Vertex(op, (holder,)))


def test_a_nested_definition_is_solved_and_cached(place: Place) -> None:
    inner = made("inner", "text")
    ((first, snapshot),) = place.build(built(holding(encode_definition(inner))))
    assert first == {"inner": "text"}
    assert "make-inner" in place.ran()
    assert place.build(built(holding(encode_definition(inner))))[0][1] == snapshot
    assert place.ran() == []


def test_another_file_and_a_local_directory(place: Place) -> None:
    """A view that the nested definition comes to is copied, as a record has to name it."""
    place.write({"a": "1"})
    ((found, _),) = place.build(built(holding(encode_definition(context()), "graph"), "graph"))
    assert found == {"a": "1"}


def test_the_empty_definition_is_the_empty_state(place: Place) -> None:
    ((found, _),) = place.build(built(holding(b"")))
    assert found == {}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"builder": 0}, "only LLB builder is currently allowed"),
        ({"inputs": {}}, f"no llb definition input {INPUT} found"),
        ({"inputs": {INPUT: 4}}, "invalid index 4"),
        ({"attrs": {"llbbuild.filename": "none"}}, "failed to open none: no such file or directory"),
        ({"attrs": {"llbbuild.filename": "/"}}, "/ is not a regular file"),
    ],
)
def test_what_is_refused(place: Place, fields: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        place.build(built(holding(encode_definition(made("a", "b"))), **fields))


def test_bytes_that_are_no_definition(place: Place) -> None:
    with pytest.raises(AssertionError, match="DefinitionError"):
        place.build(built(holding(b"\xff\xff")))


def test_a_passthrough_hands_on_its_inputs(place: Place) -> None:
    place.write({"a": "1"})
    parts = (made("one", "1"), context(), made("two", "2"))
    vertex = Vertex(PassthroughOp("group", (2, 0, 1)), parts)
    states = [found for found, _ in place.build(*(Edge(vertex, index) for index in range(3)))]
    assert states == [{"two": "2"}, {"one": "1"}, {"a": "1"}]
    place.ran()
    assert place.build(copied(Edge(vertex, 1), "one", "/other"))[0][0] == {"other": "1"}
    assert place.ran() == ["copy-other"]


def test_a_passthrough_of_nothing(place: Place) -> None:
    with pytest.raises(AssertionError, match="invalid passthrough output input index 1"):
        place.build(Edge(Vertex(PassthroughOp("group", (1,)), (made("a", "1"),))))
