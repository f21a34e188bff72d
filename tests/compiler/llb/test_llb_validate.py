"""Definitions whose ops are well-formed and can't be executed."""

from __future__ import annotations

import pytest

from pybuild.compiler.graph import Edge, Vertex
from pybuild.compiler.llb.validate import validated
from pybuild.compiler.llb.wire import DefinitionError
from pybuild.compiler.ops import (
    Copy,
    DiffOp,
    ExecOp,
    FileAction,
    FileOp,
    MergeOp,
    Meta,
    MkFile,
    Mount,
    MountType,
    Op,
    PassthroughOp,
    SourceOp,
)

IMAGE = Edge(Vertex(SourceOp("docker-image://a")), 0)
RUN = Meta(args=("true",))
ROOT = Mount(input=0, dest="/", output=0)
FILE = MkFile("/a")


def edge(op: Op, inputs: int = 1, index: int = 0) -> Edge:
    return Edge(Vertex(op, (IMAGE,) * inputs), index)


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (edge(ExecOp(Meta(), (ROOT,))), "invalid exec op with no args"),
        (edge(ExecOp(RUN)), "invalid exec op with no mounts"),
        (edge(ExecOp(RUN, (Mount(dest="/m", output=0),))), "invalid exec op with no rootfs"),
        (edge(ExecOp(RUN, (ROOT, Mount(input=1, dest="/m")))), "missing input 1 of the mount at /m"),
        (edge(ExecOp(RUN, (ROOT, Mount(input=-2, dest="/m")))), "missing input -2"),
        (edge(ExecOp(RUN, (ROOT,)), index=1), "has no output 1"),
        (
            edge(ExecOp(RUN, (ROOT, Mount(dest="/s", output=0, mount_type=MountType.SECRET))), index=1),
            "has no output 1",
        ),
        (edge(FileOp()), "invalid file op with no actions"),
        (edge(FileOp((FileAction(1, -1, 0, FILE),))), "action 0 has no input 1"),
        (edge(FileOp((FileAction(0, 7, 0, Copy("/", "/")),))), "action 0 has no input 7"),
        (edge(FileOp((FileAction(0, -1, -1, FILE),))), "has no output 0"),
        (edge(MergeOp((0,)), 2), "invalid merge op with 1 inner inputs and 2 outer inputs"),
        (edge(MergeOp((0, 2)), 2), "there is no input 2"),
        (edge(DiffOp(0, 1)), "invalid diff op: there is no input 1"),
        (edge(PassthroughOp("", (0,))), "invalid passthrough op with no id"),
        (edge(PassthroughOp("x")), "invalid passthrough op with no outputs"),
        (edge(PassthroughOp("x", (1,))), "invalid passthrough output input index 1"),
        (Edge(IMAGE.vertex, 1), "has no output 1"),
        (edge(FileOp((FileAction(0, -1, 0, FILE),)), index=3), "has no output 3"),
    ],
)
def test_what_cannot_be_executed(found: Edge, problem: str) -> None:
    with pytest.raises(DefinitionError, match=problem):
        validated(found)
    above = Edge(Vertex(DiffOp(-1, 0), (found,)), 0)
    with pytest.raises(DefinitionError, match=problem):
        validated(above)


@pytest.mark.parametrize(
    "found",
    [
        IMAGE,
        edge(ExecOp(RUN, (ROOT, Mount(input=-1, dest="/m", output=1))), index=1),
        edge(FileOp((FileAction(0, -1, -1, FILE), FileAction(1, 0, 0, Copy("/", "/"))))),
        edge(MergeOp((1, 0)), 2),
        edge(DiffOp(-1, 0)),
        edge(PassthroughOp("x", (0, 0)), index=1),
    ],
)
def test_what_can(found: Edge) -> None:
    assert validated(found) is found
