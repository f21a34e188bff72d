"""The DOT form: stable, every vertex and edge in it, and quoted so that no text can break out."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.compiler.llb.strategies import graphs

from pybuild.compiler.dot import escape, to_dot
from pybuild.compiler.graph import Edge, walk
from pybuild.compiler.llb.decode import decode_definition
from pybuild.compiler.llb.encode import encode_definition
from pybuild.compiler.state import Options, State, bind, copy, diff

STRING = r'"(?:[^"\\]|\\.)*"'
ATTRIBUTES = rf"\[\w+=(?:{STRING}|\w+)(?:, \w+=(?:{STRING}|\w+))*\]"
LINE = re.compile(rf"  (?:rankdir=LR|node {ATTRIBUTES}|\w+ {ATTRIBUTES}|\w+ -> \w+(?: {ATTRIBUTES})?);")


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_every_vertex_and_edge_in_well_formed_lines(edge: Edge) -> None:
    text = to_dot(edge)
    first, *lines, last, end = text.split("\n")
    assert (first, last, end) == ("digraph build {", "}", "")
    for line in lines:
        assert LINE.fullmatch(line), line
    vertices = list(walk([edge]))
    assert sum(" [shape=" in line for line in lines) == len(vertices) + 1
    assert sum(bool(re.match(r"  \w+ -> ", line)) for line in lines) == 1 + sum(
        len(vertex.inputs) for vertex in vertices
    )
    for vertex in vertices:
        assert f'tooltip="{vertex.digest}"' in text


@settings(max_examples=40, deadline=None)
@given(graphs())
def test_the_same_graph_gives_the_same_text(edge: Edge) -> None:
    assert to_dot(decode_definition(encode_definition(edge))) == to_dot(edge)


@given(st.text(max_size=20))
def test_escaped_text_stays_inside_its_quotes(text: str) -> None:
    assert re.fullmatch(STRING, f'"{escape(text)}"')
    assert all(char.isprintable() for char in escape(text))


def test_a_graph_as_people_read_it() -> None:
    base = State.image("alpine")
    context = State.local("context")
    built = base.file(copy(context, "/src", "/app/"), options=Options(name='say "hi"'))
    done = built.run(["make", "a\nb"], mounts=[bind("/m", context, readonly=True)])
    edge = diff(base, done).edge
    assert edge is not None
    lines = [re.sub(r', tooltip="[^"]*"', "", line) for line in to_dot(edge).splitlines()]
    shown = [re.sub(r"sha256:[0-9a-f]{12}", "DIGEST", line) for line in lines[3:]]
    assert shown == [
        r'  v0 [shape=ellipse, label="docker-image://docker.io/library/alpine:latest\nDIGEST"];',
        r'  v1 [shape=ellipse, label="local://context\nDIGEST"];',
        r'  v2 [shape=note, label="say \"hi\"\ncopy /src /app/\nDIGEST"];',
        r'  v3 [shape=box, label="exec make a…\nDIGEST"];',
        r'  v4 [shape=triangle, label="diff\nDIGEST"];',
        "  v0 -> v2;",
        '  v1 -> v2 [label="/src"];',
        '  v2 -> v3 [label="/"];',
        '  v1 -> v3 [label="/m"];',
        '  v0 -> v4 [label="lower"];',
        '  v3 -> v4 [label="upper"];',
        '  result [shape=doublecircle, label="result"];',
        "  v4 -> result;",
        "}",
    ]
