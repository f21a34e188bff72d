"""What a failing file op says."""

from __future__ import annotations

import errno
import os
from typing import Any

import pytest
from tests.runtime.ops.files.room import Room, files, vertex_of

from pybuild.compiler.graph import Metadata
from pybuild.compiler.ops import EMPTY, Copy, FileAction, MkFile
from pybuild.lang.diagnostics import Cancelled, UserError, render
from pybuild.lang.source import Source, Span
from pybuild.runtime.ops.results import Result
from pybuild.runtime.solver.types import Cancellation

pytestmark = pytest.mark.root

DOCKER: dict[str, Any] = {
    "dir_copy_contents": True,
    "create_dest_path": True,
    "follow_symlink": True,
    "allow_wildcard": True,
    "allow_empty_wildcard": True,
}


def said(room: Room, copy: Copy, source: Result) -> str:
    with pytest.raises(UserError) as caught:
        room.do(copy, None, source)
    return render(caught.value.diagnostic)


@pytest.mark.parametrize(
    ("src", "title", "helps"),
    [
        ("/srv/mian.py", '"/srv/mian.py": not found', "did you mean srv/main.py?"),
        ("/README", '"/README": not found', "did you mean readme?"),
        ("/src/main.py", '"/src/main.py": not found', "there is no directory src; did you mean srv?"),
        ("/srv/main.py/x", '"/srv/main.py/x": not found', ""),
        ("/qqqq", '"/qqqq": not found', ""),
        ("/sr/*.py", '"/sr/*.py": not found', ""),
        ("/dead", '"/dead": not found', ""),
        ("/s[", "bad wildcard '/s['", "backslash"),
        ("/round", "/round: ", ""),
    ],
)
def test_a_missing_source(room: Room, src: str, title: str, helps: str) -> None:
    make = files({"srv/main.py": b"", "readme": b"", "dead": "gone", "round": "round"})
    for source in (room.state(make), room.view(make)):
        text = said(room, Copy(src, "/x", **DOCKER), source)
        assert text.startswith(f"error: {title}")
        assert helps in text
        assert "/tmp" not in text


def test_a_source_that_is_left_out_says_so(room: Room) -> None:
    view = room.view(files({"secret/key": b"", "a": b""}), ["secret"])
    text = said(room, Copy("/secret/key", "/x", **DOCKER), view)
    assert '"/secret/key": not found' in text
    assert ".dockerignore leaves it out" in text


def test_errors_point_at_the_instruction(room: Room) -> None:
    source = Source("Dockerfile", "FROM scratch\nCOPY nope /\n")
    metadata = Metadata(spans=(Span(source, 2, 1, 2, 12),))
    vertex = vertex_of([FileAction(EMPTY, 0, 0, Copy("/nope", "/"))], 1, metadata=metadata)
    with pytest.raises(UserError) as caught:
        room.handler.run(vertex, [room.state(files({}))], Cancellation())
    text = render(caught.value.diagnostic)
    assert '"/nope": not found' in text
    assert "Dockerfile:2:1" in text
    assert "COPY nope /" in text


def test_what_the_system_refuses_is_said(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(UserError, match="no space left on device"):
        room.handler.run(
            vertex_of([FileAction(EMPTY, EMPTY, 0, MkFile("/f", 0o644, b"1"))], 0), [], Cancellation()
        )


def test_nothing_is_left_of_a_failed_op(room: Room) -> None:
    source = room.state(files({"a": b"1"}))
    room.snapshotter.close()
    before = set(os.listdir(room.store.work))
    with pytest.raises(UserError):
        room.run(
            [FileAction(EMPTY, 0, EMPTY, Copy("/a", "/b")), FileAction(1, 0, 0, Copy("/none", "/c"))],
            [source],
        )
    assert set(os.listdir(room.store.work)) <= before


def test_cancelling(room: Room) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    vertex = vertex_of([FileAction(EMPTY, 0, 0, Copy("/", "/", dir_copy_contents=True))], 1)
    with pytest.raises(Cancelled):
        room.handler.run(vertex, [room.state(files({"a": b""}))], cancellation)
