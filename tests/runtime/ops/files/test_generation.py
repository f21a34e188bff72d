"""A repeated copy from a local directory links what did not change to the files it wrote before."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.runtime.ops.files.room import Room, Seen, vertex_of

from pybuild.compiler.ops import Copy, FileAction
from pybuild.runtime.ops.results import Snapshot, View
from pybuild.runtime.solver.types import Cancellation
from pybuild.runtime.sources.local import LocalTree
from pybuild.runtime.sources.statcache import StatCache

pytestmark = pytest.mark.root

NUMBER = 20
ACTION = FileAction(-1, 0, 0, Copy("/", "/to/", dir_copy_contents=True, create_dest_path=True))


def view(room: Room, path: Path) -> View:
    root = os.fsencode(path)
    return View(LocalTree(root, StatCache(room.store.path("stat"), root)))


def copy(room: Room, path: Path, action: FileAction = ACTION) -> Snapshot:
    """One build's copy of the directory, recorded as the solver would."""
    vertex, source = vertex_of([action], 1), view(room, path)
    (made,) = room.handler.run(vertex, [source], Cancellation())
    assert isinstance(made, Snapshot)
    source.tree.save()
    key = room.handler.op_key(vertex, Cancellation())
    room.records.save(f"{key} {made.id}", key, [-1], [made.id], None)
    return made


def inodes(room: Room, made: Snapshot) -> dict[str, int]:
    layer = room.snapshotter.tree(made.id).resolve(b"to").node
    assert layer is not None
    top = os.fsdecode(layer.real)
    return {name: os.lstat(os.path.join(top, name)).st_ino for name in os.listdir(top)}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.mkdir()
    for number in range(NUMBER):
        file = path / f"f{number:02}"
        file.write_text(f"content {number}\n")
        os.utime(file, ns=(10**18, 10**18))
    time.sleep(0.1)  # a file is in the stat cache once its change time is past
    return path


def rewrite(path: Path) -> None:
    path.write_text("content X\n")
    os.utime(path, ns=(10**18, 10**18))


def retype(path: Path) -> None:
    path.unlink()
    path.symlink_to("f00")


CHANGES: dict[str, Callable[[Path], object]] = {
    "content of the same size and time": rewrite,
    "mode": lambda path: path.chmod(0o600),
    "time": lambda path: os.utime(path, ns=(10**17, 10**17)),
    "attribute": lambda path: os.setxattr(path, "user.note", b"1"),
    "type": retype,
}


@pytest.mark.parametrize("what", CHANGES)
def test_only_what_changed_is_written(overlay_room: Room, source: Path, what: str) -> None:
    room = overlay_room
    first = copy(room, source)
    CHANGES[what](source / "f07")
    second = copy(room, source)
    before, after = inodes(room, first), inodes(room, second)
    assert {name for name in after if before[name] != after[name]} == {"f07"}
    assert entries(room, second) == entries(room, fresh(room, source))


def entries(room: Room, made: Snapshot) -> dict[str, Seen]:
    """What was copied; the directories that a copy makes on its way have the time of the build."""
    return {path: seen for path, seen in room.seen(made).items() if path not in (".", "to")}


def fresh(room: Room, source: Path) -> Snapshot:
    """The same copy by an op that never ran: its parameters say the same in other words."""
    body = ACTION.action
    assert isinstance(body, Copy)
    action = evolve(ACTION, action=evolve(body, include_patterns=("**",)))
    (made,) = room.run([action], [view(room, source)])
    return made


def test_an_earlier_snapshot_is_not_changed(room: Room, source: Path) -> None:
    first = copy(room, source)
    seen = room.seen(first)
    for number in range(3):
        (source / f"f{number:02}").write_text("another\n")
        copy(room, source)
    assert room.seen(first) == seen


def test_a_damaged_record_is_no_record(overlay_room: Room, source: Path) -> None:
    room = overlay_room
    first = copy(room, source)
    node = room.snapshotter.tree(first.id).resolve(b"").node
    assert node is not None
    record = Path(os.fsdecode(node.real)).parent / "copied"
    data = bytearray(record.read_bytes())
    data[len(data) // 2] ^= 0x40
    record.write_bytes(data)
    second = copy(room, source)
    assert not set(inodes(room, first).values()) & set(inodes(room, second).values())
    assert entries(room, second) == entries(room, first)


def test_the_chain_beneath_is_never_linked_to(overlay_room: Room, source: Path) -> None:
    """Two equal copies, one on the other: no inode under two layers of one chain."""
    room = overlay_room
    first = copy(room, source)
    over = evolve(ACTION, input=0, secondary_input=1)
    vertex = vertex_of([over], 2)
    key = room.handler.op_key(vertex, Cancellation())
    room.records.save("beneath", key, [None, -1], [first.id], None)
    (made,) = room.handler.run(vertex, [first, view(room, source)], Cancellation())
    assert isinstance(made, Snapshot)
    assert not set(inodes(room, first).values()) & set(inodes(room, made).values())


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, NUMBER - 1), st.sampled_from(sorted(CHANGES))), max_size=6))
def test_any_history_gives_what_a_first_copy_gives(
    room: Room, source: Path, changes: list[tuple[int, str]]
) -> None:
    copy(room, source)
    for number, what in changes:
        path = source / f"f{number:02}"
        if stat.S_ISREG(path.lstat().st_mode):
            CHANGES[what](path)
        made = copy(room, source)
    if changes:
        assert entries(room, made) == entries(room, fresh(room, source))
