"""Digests of real definitions: what Docker's BuildKit shows for a Dockerfile against what `State` makes.

The BuildKit embedded in Docker 26 writes ops with gogo-protobuf, which puts members of a oneof at the place
of their field number; the Go client of later releases puts them last, which is the canonical form here. So
the payloads are compared after moving those members; every other byte is as written.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from tests.differential.bases import Bases

from pybuild.compiler import ops
from pybuild.compiler.graph import Edge, Vertex
from pybuild.compiler.llb.wire import block, fields, varint
from pybuild.compiler.ops import CacheSharing, NetMode, Platform
from pybuild.compiler.state import (
    Options,
    State,
    bind,
    cache,
    copy,
    merge,
    mkdir,
    mkfile,
    secret,
    ssh,
    tmpfs,
)

pytestmark = pytest.mark.docker

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LINUX = Options(platform=Platform("amd64", "linux"))
DOCKERFILE = """\
FROM {base}
ENV A=1 B="two words"
ENV A=3
WORKDIR /w
WORKDIR sub
COPY --chown=1:nobody --chmod=640 a.txt ./x/
ADD t.tar /un/
COPY --link a.txt /linked
COPY <<EOF /inline
hello
EOF
USER 65534:65534
RUN --mount=type=cache,target=/c,sharing=locked --mount=type=tmpfs,target=/t,size=1048576 \
--mount=type=bind,target=/src,source=sub --mount=type=bind,target=/rwsrc,rw echo 1
RUN --mount=type=secret,id=s1 --mount=type=ssh echo 2
RUN --network=none ["/bin/echo", "x y"]
ADD {http} /http
ADD https://127.0.0.1:9/a/b.git#main /git
"""
"""The last step fails: there is no such repository. Vertices are shown before anything runs."""


def shown_vertices(folder: Path) -> list[dict[str, Any]]:
    command = ["docker", "buildx", "build", "--progress=rawjson", "--platform=linux/amd64", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    shown: dict[str, dict[str, Any]] = {}
    for event in events(done.stdout + done.stderr):
        for vertex in event.get("vertexes") or []:
            shown.setdefault(vertex["digest"], vertex)
    return list(shown.values())


def events(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects of a stream; other lines between them are skipped."""
    decoder, at = json.JSONDecoder(), 0
    while (at := text.find("{", at)) >= 0:
        try:
            event, at = decoder.raw_decode(text, at)
        except ValueError:
            at += 1
            continue
        yield event


def gogo_digest(vertex: Vertex) -> str:
    return "sha256:" + hashlib.sha256(by_number("pb.Op", vertex.payload)).hexdigest()


def by_number(name: str, payload: bytes) -> bytes:
    parts = []
    for field, wire, value in fields(name, payload):
        if isinstance(value, int):
            parts.append((field, varint(field << 3 | wire) + varint(value)))
            continue
        if name == "pb.Op" and field == 4:
            actions = [item for _, _, item in fields("pb.FileOp", value) if isinstance(item, bytes)]
            value = b"".join(block(2, by_number("pb.FileAction", action)) for action in actions)
        parts.append((field, block(field, value)))
    return b"".join(part for _, part in sorted(parts, key=lambda part: part[0]))


def states(shown: Mapping[str, dict[str, Any]], http: str) -> dict[str, State]:
    """For each step the state `State` makes on the inputs Docker shows for it."""

    def inputs(step: str) -> list[State]:
        return [State(Edge(digest_only(digest))) for digest in shown[step]["inputs"]]

    copied: Any = {
        "follow_symlinks": True,
        "contents_only": True,
        "create_dest_path": True,
        "wildcard": True,
        "empty_wildcard": True,
    }
    out = {}
    out["FROM"] = State.image(shown["FROM"]["name"].split("FROM ")[1], resolve_mode="local", options=LINUX)
    (base,) = inputs("WORKDIR /w")
    out["WORKDIR /w"] = base.file(mkdir("/w", parents=True))
    (base,) = inputs("WORKDIR sub")
    out["WORKDIR sub"] = base.dir("/w").file(mkdir("sub", parents=True))
    base, context = inputs("COPY --chown")
    out["COPY --chown"] = base.dir("/w/sub").file(
        copy(context, "/a.txt", "./x/", owner="1:nobody", mode=0o640, **copied)
    )
    base, context = inputs("ADD t.tar")
    out["ADD t.tar"] = base.file(copy(context, "/t.tar", "/un/", unpack=True, **copied))
    (context,) = inputs("] COPY --link")
    out["] COPY --link"] = State.scratch().file(copy(context, "/a.txt", "/linked", **copied))
    out["LINK COPY"] = merge(inputs("LINK COPY"))
    out["inline document"] = State.scratch().file(mkfile("EOF", b"hello\n", mode=0o644))
    base, inline = inputs("COPY <<EOF")
    out["COPY <<EOF"] = base.file(copy(inline, "EOF", "/inline", create_dest_path=True))
    base, context = inputs("RUN --mount=type=cache")
    inherited = base.dir("/w/sub").user("65534:65534").env("PATH", PATH)
    inherited = inherited.env("A", "1").env("B", "two words").env("A", "3").dir("/w/sub")
    out["RUN --mount=type=cache"] = inherited.run(
        ["/bin/sh", "-c", "echo 1"],
        mounts=[
            cache("/c", "//c", sharing=CacheSharing.LOCKED),
            tmpfs("/t", size=1 << 20),
            bind("/src", context, selector="/sub", readonly=True),
            bind("/rwsrc", context, output=False),
        ],
        options=LINUX,
    )
    (base,) = inputs("RUN --mount=type=secret")
    out["RUN --mount=type=secret"] = without_empty_inputs(
        inherited.at(base.edge).run(
            ["/bin/sh", "-c", "echo 2"],
            mounts=[secret("/run/secrets/s1", id="s1", optional=True), ssh(optional=True)],
            options=LINUX,
        )
    )
    (base,) = inputs("RUN --network")
    out["RUN --network"] = inherited.at(base.edge).run(
        ["/bin/echo", "x y"], network=NetMode.NONE, options=LINUX
    )
    out["http source"] = State.http(http, filename="v2")
    base, source = inputs("ADD http:")
    out["ADD http:"] = base.file(copy(source, "/v2", "/http", create_dest_path=True))
    out["git source"] = State.git("https://127.0.0.1:9/a/b.git", "main")
    base, source = inputs("ADD https:")
    out["ADD https:"] = base.file(copy(source, "/", "/git", create_dest_path=True))
    return out


def without_empty_inputs(state: State) -> State:
    """Secrets and sockets with input 0: Docker 26 leaves it so, later clients write -1."""
    assert state.edge is not None
    vertex = state.edge.vertex
    assert isinstance(vertex.op, ops.ExecOp)
    root, *others = vertex.op.mounts
    mounts = (root, *(evolve(mount, input=0) for mount in others))
    return State(Edge(evolve(vertex, op=evolve(vertex.op, mounts=mounts))))


def digest_only(digest: str) -> Vertex:
    vertex = Vertex(ops.SourceOp())
    vertex.__dict__["digest"] = digest
    return vertex


def find(vertices: list[dict[str, Any]], step: str) -> dict[str, Any]:
    sources = {"http source": "ADD http:", "git source": "ADD https:"}
    for vertex in vertices:
        if step in sources:
            if sources[step] in vertex["name"] and not vertex.get("inputs"):
                return vertex
        elif step in vertex["name"] and (vertex.get("inputs") or "ADD" not in step):
            return vertex
    raise AssertionError(f"no step {step!r} in {[vertex['name'] for vertex in vertices]}")


STEPS = (
    "FROM",
    "WORKDIR /w",
    "WORKDIR sub",
    "COPY --chown",
    "ADD t.tar",
    "] COPY --link",
    "LINK COPY",
    "inline document",
    "COPY <<EOF",
    "RUN --mount=type=cache",
    "RUN --mount=type=secret",
    "RUN --network",
    "http source",
    "ADD http:",
    "git source",
    "ADD https:",
)


def test_digests_equal_those_of_docker(tmp_path: Path) -> None:
    registry = os.environ.get("PYBUILD_TEST_REGISTRY")
    if not registry:
        pytest.skip("PYBUILD_TEST_REGISTRY is not set; ./test sets it")
    http = f"http://{registry}/v2/"
    base = Bases(tmp_path / "bases", registry).reference()
    context = tmp_path / "context"
    (context / "sub").mkdir(parents=True)
    (context / "Dockerfile").write_text(DOCKERFILE.format(base=base, http=http))
    (context / "a.txt").write_text("hi\n")
    subprocess.run(["tar", "cf", context / "t.tar", "-C", context, "a.txt"], check=True)
    vertices = shown_vertices(context)
    shown = {step: find(vertices, step) for step in STEPS}
    made = states(shown, http)
    differing = []
    for step in STEPS:
        edge = made[step].edge
        assert edge is not None
        if gogo_digest(edge.vertex) != shown[step]["digest"]:
            differing.append(step)
    assert differing == [], differing
