"""Hard links between snapshots: within one mounted chain no file has two names that the build did not give it."""

from __future__ import annotations

import errno
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.runtime.ops.files.room import Room, files

from pybuild.compiler.ops import EMPTY, ChownOpt, Copy, FileAction
from pybuild.runtime.ops.results import Snapshot

pytestmark = pytest.mark.root

ALL = Copy("/", "/", dir_copy_contents=True)


def inode(room: Room, snapshot: Snapshot, path: bytes) -> tuple[int, int]:
    node = room.snapshotter.tree(snapshot.id).resolve(path).node
    assert node is not None
    return node.stat.st_dev, node.stat.st_ino


def test_a_copy_with_the_same_metadata_is_a_link(overlay_room: Room) -> None:
    room = overlay_room
    source = room.state(files({"f": b"1", "g": b"2"}))
    plain = room.do(ALL, None, source)
    assert inode(room, plain, b"f") == inode(room, source, b"f")
    on_base = room.do(ALL, room.state(files({"x": b""})), room.state(files({"f": b"1"})))
    assert room.seen(on_base)["f"].content == b"1"
    for other in ({"mode": 0o600}, {"mode_str": "u+x"}, {"timestamp": 5}, {"owner": ChownOpt(1, 1)}):
        changed = room.do(Copy("/", "/", dir_copy_contents=True, **other), None, source)
        assert inode(room, changed, b"f") != inode(room, source, b"f")
    same_owner = room.do(Copy("/f", "/f", owner=ChownOpt(0, 0)), None, source)
    assert inode(room, same_owner, b"f") == inode(room, source, b"f")


def test_the_copy_snapshotter_never_links(room: Room) -> None:
    source = room.state(files({"f": b"1"}))
    out = room.do(ALL, None, source)
    assert (inode(room, out, b"f") == inode(room, source, b"f")) == (not room.snapshotter.plain)


def test_two_names_in_one_op_are_two_files(room: Room) -> None:
    source = room.state(files({"f": b"1", "d/g": b"2"}))
    twice = [
        FileAction(EMPTY, 0, EMPTY, Copy("/f", "/one")),
        FileAction(1, 0, EMPTY, Copy("/f", "/two")),
        FileAction(2, 0, 0, Copy("/", "/all/", dir_copy_contents=True, create_dest_path=True)),
    ]
    (out,) = room.run(twice, [source])
    assert room.links(out) == set()


def test_a_file_of_the_own_chain_is_copied(room: Room) -> None:
    base = room.state(files({"f": b"1"}))
    (out,) = room.run([FileAction(0, 0, 0, Copy("/f", "/g"))], [base])
    assert room.links(out) == set()
    child = room.state(files({"x": b""}), base)
    (out,) = room.run([FileAction(0, 1, 0, Copy("/f", "/g"))], [child, base])
    assert room.links(out) == set()


@pytest.mark.parametrize("refusal", [errno.EMLINK, errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP])
def test_where_no_link_can_be_had_it_copies(
    overlay_room: Room, refusal: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = overlay_room
    source = room.state(files({"f": b"1"}))

    def refuse(*args: object, **more: object) -> None:
        raise OSError(refusal, os.strerror(refusal))

    monkeypatch.setattr(os, "link", refuse)
    out = room.do(ALL, None, source)
    monkeypatch.undo()
    assert room.seen(out)["f"].content == b"1"
    assert inode(room, out, b"f") != inode(room, source, b"f")


STEPS = st.lists(
    st.tuples(
        st.integers(-1, 5),
        st.integers(0, 5),
        st.sampled_from(["/", "/a", "/f"]),
        st.sampled_from(["/", "/a/", "/b"]),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS)
def test_no_chain_shows_one_file_under_two_names(
    overlay_room: Room, steps: list[tuple[int, int, str, str]]
) -> None:
    room = overlay_room
    states = [room.state(files({"f": b"1", "a/x": b"2", "a/f": b"3"}))]
    for base, source, src, dest in steps:
        below = None if base < 0 else states[base % len(states)]
        copy = Copy(
            src, dest, dir_copy_contents=True, create_dest_path=True, always_replace_existing_dest_paths=True
        )
        other = FileAction(EMPTY, 0, EMPTY, copy)
        inputs = [states[source % len(states)], *([] if below is None else [below])]
        count = len(inputs)
        first = FileAction(EMPTY if below is None else 1, 0, EMPTY, copy)
        second = FileAction(count, 0, 0, Copy(src, "/again/", dir_copy_contents=True, create_dest_path=True))
        try:
            (out,) = room.run([first, second], inputs)
        except Exception as error:
            assert "not found" in str(error) or "directory" in str(error), other  # noqa: PT017
            continue
        states.append(out)
        assert room.links(out) == set()
