"""Errors as statuses of gRPC, and back."""

from __future__ import annotations

import pytest
from google.protobuf.any_pb2 import Any
from google.rpc.status_pb2 import Status

from pybuild.compiler.gateway import UnsupportedCapability, UnsupportedSubrequest
from pybuild.compiler.graph import Edge, Metadata, Vertex
from pybuild.compiler.ops import EMPTY, Copy, ExecOp, FileAction, FileOp, Meta, MkFile, Mount, SourceOp
from pybuild.compiler.protos import errdefs_pb2, gateway_pb2
from pybuild.lang.diagnostics import Cancelled, UserError
from pybuild.lang.source import Source, Span
from pybuild.runtime.bridge.details import packed, unpacked
from pybuild.runtime.bridge.statuses import (
    NOT_FOUND,
    CallRefused,
    ExitFailed,
    ReceivedError,
    SourceFailed,
    error_of,
    status_of,
)
from pybuild.runtime.ops.failures import StepFailed
from pybuild.runtime.ops.files.failures import SourceNotFound
from pybuild.runtime.ops.origin import KEY, RUN, Origin
from pybuild.runtime.ops.stepoutput import StepOutput

FILE = Source("Dockerfile", "FROM scratch\nRUN false\n")


def names(snapshot: int | None) -> str:
    return "" if snapshot is None else f"id-{snapshot}"


def failed_step(code: int = 3) -> StepFailed:
    span = Span(FILE, 2, 1, 2, 10)
    op = ExecOp(Meta(args=("false",)), (Mount(dest="/", input=EMPTY),))
    error = StepFailed(Vertex(op, metadata=Metadata(spans=(span,))), code, StepOutput())
    error.mounts = {0: (None, 7)}
    return error


def of_kind(status: Status, kind: type) -> list:  # type: ignore[type-arg]
    return [one for one in map(unpacked, status.details) if isinstance(one, kind)]


def test_a_failed_step() -> None:
    status = status_of(failed_step(), register=names)
    assert status.code == 2
    assert status.message == 'process "false" did not complete successfully: exit code: 3'
    (solve,) = of_kind(status, errdefs_pb2.Solve)
    assert (list(solve.inputIDs), list(solve.mountIDs)) == ([""], ["id-7"])
    (source,) = of_kind(status, errdefs_pb2.Source)
    assert (source.info.filename, source.info.data) == ("Dockerfile", FILE.text.encode())
    assert [(one.start.line, one.end.line) for one in source.ranges] == [(2, 2)]
    assert [one.Code for one in of_kind(status, gateway_pb2.ExitMessage)] == [3]
    assert len(of_kind(status, errdefs_pb2.Vertex)) == 1


def test_who_can_mount_nothing_is_told_of_no_mounts() -> None:
    assert of_kind(status_of(failed_step()), errdefs_pb2.Solve) == []


def test_what_comes_goes_out_as_it_came() -> None:
    """Also details of kinds that nothing here knows."""
    status = status_of(failed_step(), register=names)
    status.details.append(Any(type_url="example.com/unknown+json", value=b"\xff"))
    status.details.append(Any(type_url="github.com/moby/buildkit/errdefs.Source+json", value=b"{"))
    error = error_of(status)
    assert isinstance(error, ReceivedError)
    assert str(error) == status.message
    assert [label.span.place for label in error.diagnostic.labels] == ["Dockerfile:2:1"]
    assert status_of(error) == status


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (Cancelled(), 1, "context canceled"),
        (UserError("plain"), 2, "plain"),
        (UserError("name \udcff"), 2, "name ?"),
        (CallRefused(NOT_FOUND, "none"), 5, "none"),
        (ExitFailed(4), 2, "exit code: 4"),
        (ExitFailed(137, cancelled=True), 1, "exit code: 137: context canceled"),
        (UnsupportedCapability("x"), 12, "unsupported frontend capability x"),
        (UnsupportedSubrequest("y"), 2, "unsupported request y"),
        (SourceFailed(UserError("why"), "docker-image://a", "before: "), 2, "before: why"),
        (KeyError("bug"), 13, "KeyError: 'bug'"),
    ],
)
def test_codes_and_messages(error: BaseException, code: int, message: str) -> None:
    status = status_of(error)
    assert (status.code, status.message) == (code, message)


def test_a_cancellation_comes_back_as_one() -> None:
    assert isinstance(error_of(status_of(Cancelled())), Cancelled)
    assert str(error_of(Status(code=9))) == "the frontend failed with code 9"


def test_where_a_file_was_looked_for() -> None:
    """A source of a copy that is not there is an error of its input; one of a later action of that action."""
    below = Vertex(SourceOp("local://context"))
    make = FileAction(EMPTY, EMPTY, EMPTY, MkFile("/a"))
    copy = FileAction(1, 0, 0, Copy("/none", "/"))
    vertex = Vertex(FileOp((make, copy)), (Edge(below),))
    error = SourceNotFound('"/none": not found')
    error.origin = Origin(vertex, RUN, 1, [5], 6)
    (found,) = of_kind(status_of(error, register=names), errdefs_pb2.Solve)
    assert (found.cache.index, list(found.inputIDs), list(found.mountIDs)) == (0, ["id-5"], [])
    within = Vertex(FileOp((make, FileAction(EMPTY, 1, 0, Copy("/none", "/")))), (Edge(below),))
    error.origin = Origin(within, RUN, 1, [5], 6)
    (found,) = of_kind(status_of(error, register=names), errdefs_pb2.Solve)
    assert (found.file.index, list(found.inputIDs), list(found.mountIDs)) == (1, ["id-5"], ["", "id-6"])


def test_a_source_that_can_not_be_asked() -> None:
    error = UserError("no route")
    error.origin = Origin(Vertex(SourceOp("https://example.com/x")), KEY)
    assert status_of(error).message == "failed to load cache key: no route"


@pytest.mark.parametrize(
    "message",
    [
        errdefs_pb2.Subrequest(name="frontend.outline"),
        errdefs_pb2.FrontendCap(name="x"),
        errdefs_pb2.Vertex(digest="sha256:00"),
        gateway_pb2.ExitMessage(Code=3),
    ],
)
def test_details_are_json_under_buildkits_names(message: object) -> None:
    detail = packed(message)  # type: ignore[arg-type]
    assert detail.type_url.startswith("github.com/moby/buildkit/")
    assert detail.type_url.endswith("+json")
    assert unpacked(detail) == message
