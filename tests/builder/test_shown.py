"""What notebooks show: whatever a build file holds, it is text."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builder.place import Place

from pybuild.builder import Builder, Graph, Image, Record, Result
from pybuild.builder.reader import Reader
from pybuild.builder.record import KEPT
from pybuild.compiler.dot import to_dot_all
from pybuild.compiler.graph import Edge
from pybuild.compiler.ops import ExecOp, Meta
from pybuild.compiler.options import Options
from pybuild.runtime.progress.observer import VertexEvent

HOSTILE = "<script>alert('1')</script> & \"quoted\" <img src=http://x/>"


class Elements(HTMLParser):
    """The tags, attributes and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def check(page: str) -> Elements:
    """It has no script and fetches nothing."""
    found = Elements(page)
    assert not found.tags & {"script", "img", "link", "iframe", "object", "style", "a", "foreignobject"}
    for name, value in found.attributes:
        assert not name.startswith("on")
        assert name not in ("href", "src", "xlink:href")
        assert "://" not in (value or "")
    return found


def result(record: Record) -> Result:
    image = Image(HOSTILE, "sha256:" + 64 * "0", (HOSTILE,), (HOSTILE,), (), {})
    return Result((image,), record.steps, (), 1.0, 3.5, Reader("/nowhere"))


def test_a_result() -> None:
    record = Record()
    record.vertex(VertexEvent("a", f"run {HOSTILE}", started=1.0, completed=3.0, error=HOSTILE))
    record.vertex(VertexEvent("b", "cached one", started=1.0, completed=1.0, cached=True))
    record.log("a", 1, HOSTILE.encode() + b"\n" + b"line\n" * 100)
    found = check(result(record)._repr_html_())
    assert f"run {HOSTILE}" in found.text
    assert "… 81 lines before" in found.text
    assert "0 ran, 1 cached, 2.5s" in found.text
    assert "failed2.0" in found.text


def picture(names: list[str]) -> Graph:
    """A chain of steps, each with the one before as its input, and the first as that of the last."""
    edges: list[Edge] = []
    for name in names:
        inputs = [edges[-1], edges[0]] if len(edges) > 1 else edges[-1:]
        vertex = Options(name=name).vertex(ExecOp(Meta(args=(name, str(len(edges))))), inputs)
        edges.append(Edge(vertex))
    return Graph(b"{}", to_dot_all([("result", edges[-1])]).encode())


@settings(max_examples=25)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=5))
def test_a_graph_is_a_picture_of_all_its_vertices(names: list[str]) -> None:
    svg = ET.fromstring(picture(names).to_svg())
    assert len(svg.findall("rect")) == len(set(map(str, range(len(names))))) + 1
    width, height = float(svg.attrib["width"]), float(svg.attrib["height"])
    for box in svg.findall("rect"):
        x, y, w, h = (float(box.attrib[name]) for name in ("x", "y", "width", "height"))
        assert 0 <= x <= x + w <= width + 1
        assert 0 <= y <= y + h <= height + 1


def test_a_graph() -> None:
    names = [HOSTILE, 'back\\slash\\n "x"', "last"]
    found = check(picture(names)._repr_html_())
    for name in names:
        assert name in found.text


def test_a_graph_without_vertices_is_drawn_too() -> None:
    assert ET.fromstring(Graph(b"{}", b"digraph build {\n}\n").to_svg()).findall("rect") == []


def test_what_a_step_printed_is_kept_up_to_a_limit() -> None:
    record = Record(kept=10)
    record.vertex(VertexEvent("a", "a", started=1.0))
    for data in (b"12345", b"67890", b"abc"):
        record.log("a", 1, data)
    (step,) = record.steps
    assert (step.log, step.lost, step.status, step.seconds) == ("67890abc", 5, "running", 0.0)
    assert KEPT > 1 << 20


@pytest.mark.root
@pytest.mark.crun
def test_those_of_builds(place: Place, builder: Builder) -> None:
    place.write('target a:\n    from BASE\n    run echo "<b>bold</b>"\n')
    assert "<b>bold</b>" in check(builder.build("a")._repr_html_()).text
    graph = builder.graph("a")
    assert graph.to_json()["schema"] == "pybuild.graph/1"
    assert "run echo" in graph.to_dot()
    assert "<b>bold</b>" in check(graph._repr_html_()).text
    (place.project / "Dockerfile").write_text("FROM base AS one\nRUN echo '<<x>>'\n")
    contexts = {"base": f"oci-layout://{place.base}"}
    dockerfile = {"file": place.project / "Dockerfile", "allow": (), "build_contexts": contexts}
    with place.builder(**dockerfile) as other:
        assert len(other.graph().to_json()["vertices"]) == 2
