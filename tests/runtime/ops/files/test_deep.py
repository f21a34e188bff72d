"""Deep directories: every act costs about their depth, and none ends in a recursion."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest
from tests.runtime.ops.files.room import Room

from pybuild.compiler.ops import Copy, MkDir, Rm
from pybuild.lang.dockerfile.ignore import Matcher
from pybuild.runtime.image.compression import Compression
from pybuild.runtime.image.layers import Layers
from pybuild.runtime.ops.results import Snapshot, View
from pybuild.runtime.snapshots.digests import selected_digest
from pybuild.runtime.snapshots.removal import remove_tree
from pybuild.runtime.sources.local import LocalTree
from pybuild.runtime.sources.statcache import StatCache

Act = Callable[[], object]


def fill(root: bytes, levels: int) -> None:
    directory = os.open(root, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("a", dir_fd=directory)
        inner = os.open("a", os.O_RDONLY, dir_fd=directory)
        os.close(directory)
        directory = inner
    os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=directory))
    os.close(directory)


def copy(source: str, target: str) -> Copy:
    return Copy(source, target, dir_copy_contents=True, create_dest_path=True, mode=-1, timestamp=-1)


class Deep:
    """Acts on directories of a depth; what they need is made first."""

    def __init__(self, room: Room, levels: int) -> None:
        self.room = room
        self.path = "/" + "a/" * levels
        active = room.snapshotter.prepare(None)
        fill(active.upper, levels)
        self.state = Snapshot(active.commit())
        self.place = os.fsencode(room.directory / f"deep{os.urandom(3).hex()}")
        os.mkdir(self.place)
        fill(self.place, levels)

    def local(self, *patterns: str) -> LocalTree:
        cache = StatCache(self.room.store.path("stat"), self.place)
        return LocalTree(self.place, cache, ignored=Matcher(patterns) if patterns else None)

    def acts(self) -> dict[str, Act]:
        room, state = self.room, self.state
        assert state.id is not None
        snapshot = state.id
        return {
            "digest of a context": lambda: self.local().digest(),
            "exceptions of ignored directories": lambda: self.local("a", "!**/f").digest(),
            "digest of a state": lambda: selected_digest(room.snapshotter.tree(snapshot), b"a"),
            "copy of a context": lambda: room.do(copy("/", "/d/"), None, View(self.local())),
            "copy of a state": lambda: room.do(copy("/a", "/d/"), None, state),
            "copy onto a state": lambda: room.do(copy("/a", "/a"), state, state),
            "copy of the innermost": lambda: room.do(copy(self.path + "f", self.path + "g"), state, state),
            "mkdir -p": lambda: room.do(MkDir(self.path, make_parents=True)),
            "mkdir -p in a state": lambda: room.do(MkDir(self.path + "b", make_parents=True), state),
            "rm": lambda: room.do(Rm("/a"), state),
            "layer": lambda: Layers(room.store, room.snapshotter).layer(snapshot, Compression("gzip")),
        }


@pytest.fixture
def make(overlay_room: Room) -> object:
    """`make(levels)`; pytest can't remove what is that deep."""
    made: list[Deep] = []

    def make(levels: int) -> Deep:
        made.append(Deep(overlay_room, levels))
        return made[-1]

    yield make
    for one in made:
        remove_tree(one.place)
    snapshots = os.path.join(os.fsencode(overlay_room.store.root), b"snapshots")
    for name in os.listdir(snapshots):
        remove_tree(os.path.join(snapshots, name))


ACTS = (
    "digest of a context,exceptions of ignored directories,digest of a state,copy of a context,copy of a state,"
    "copy onto a state,copy of the innermost,mkdir -p,mkdir -p in a state,rm,layer"
).split(",")


@pytest.mark.parametrize("name", ACTS)
def test_twice_the_depth_takes_about_twice_the_time(make: Callable[[int], Deep], name: str) -> None:
    def seconds(levels: int) -> float:
        act = make(levels).acts()[name]
        start = time.process_time()
        act()
        return time.process_time() - start

    # Other work on the machine only ever adds: the best of a few tries counts.
    once = twice = 1e9
    for _ in range(4):
        once, twice = min(once, seconds(100)), min(twice, seconds(200))
        if twice < 2.5 * once + 0.03:
            return
    raise AssertionError(f"100 levels take {once:.3f} s, 200 take {twice:.3f} s")


@pytest.mark.parametrize(
    "name", ["copy of a context", "copy of the innermost", "exceptions of ignored directories"]
)
def test_a_path_as_long_as_the_kernel_allows(make: Callable[[int], Deep], name: str) -> None:
    make(700).acts()[name]()
