"""`frontend(…)` of the language, and its twin in Python."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.e2e.building import Builder

pytestmark = [pytest.mark.root, pytest.mark.crun]

CODE = """\
from pybuild.compiler.state import State, copy, mkfile
from pybuild.sdk import Base, Built

def build(client, inputs):
    platform = inputs.platforms[0]
    base = Base.scratch(platform)
    state = base.state.file(copy(inputs.named("more", platform, client).state, "a", "/"))
    state = state.file(mkfile("/told", client.options["theme"].encode()))
    return Built(base.built(state, base.image.with_config(cmd=("said",))))
"""
TEXT = """\
# syntax=pybuild:1
target made:
    from frontend("example/script:1", inputs={"context": context, "more": context}, opts={"theme": "light"})
    label "from" = "here"
"""
MODULE = """\
# syntax=python:1
import pybuild as pb

@pb.target
def made(t):
    inputs = {"context": pb.context, "more": pb.context}
    t.from_(pb.frontend("example/script:1", inputs=inputs, opts={"theme": "light"}))
    t.label({"from": "here"})
"""


@pytest.fixture
def context(builder: Builder, script: Path) -> Path:
    """A directory in which frontends are Python, and the frontend `example/script:1`, built on this machine."""
    image = f"--build-context=script=oci-layout://{script}"
    builder.build(image, "-t", "example/script:1", builder.context("image", "FROM script\n"))
    return builder.context("context", CODE, a="text\n")


@pytest.mark.parametrize(("name", "text"), [("build.pybuild", TEXT), ("build.py", MODULE)])
def test_what_it_makes_is_gone_on_from(builder: Builder, context: Path, name: str, text: str) -> None:
    (context / name).write_text(text)
    layout = builder.place / "layout"
    words: list[str | Path] = [
        "build",
        "--progress=plain",
        "-f",
        context / name,
        "-o",
        f"type=oci,tar=false,dest={layout}",
        context,
    ]
    builder.run(*words)
    index = json.loads((layout / "index.json").read_bytes())
    manifest = json.loads(_blob(layout, index["manifests"][0]["digest"]))
    config = json.loads(_blob(layout, manifest["config"]["digest"]))
    assert config["config"]["Cmd"] == ["said"]
    assert config["config"]["Labels"] == {"from": "here"}
    assert len(manifest["layers"]) == 2


def test_mistakes_are_where_it_is_used(builder: Builder, context: Path) -> None:
    (context / "build.pybuild").write_text(TEXT.replace("theme", "other"))
    outcome = builder.run("build", "-q", "-f", context / "build.pybuild", context, code=1)
    assert "error: the frontend failed: KeyError: 'theme'" in outcome.err.replace("error[", "error").replace(
        "]:", ":"
    )


def test_without_links_it_is_an_op(builder: Builder, context: Path) -> None:
    (context / "build.pybuild").write_text(TEXT)
    graph = json.loads(builder.run("graph", "-f", context / "build.pybuild", context).out)
    assert "frontend docker.io/example/script:1" in json.dumps(graph)


def _blob(layout: Path, digest: str) -> bytes:
    return (layout / "blobs/sha256" / digest.partition(":")[2]).read_bytes()
