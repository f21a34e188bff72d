"""Diffs over other states: what they share, what they hide, and what keeps them."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.runtime.ops.files.room import vertex_of
from tests.runtime.snapshots.states import in_tree

from pybuild.compiler.ops import EMPTY, Copy, FileAction
from pybuild.runtime.cache.records import Records
from pybuild.runtime.content.schema import TABLES, VERSION
from pybuild.runtime.content.store import Store
from pybuild.runtime.image.compression import Compression
from pybuild.runtime.image.layers import Layers
from pybuild.runtime.ops.files.handler import FileHandler
from pybuild.runtime.ops.results import Snapshot
from pybuild.runtime.snapshots.committed import sweep_orphans
from pybuild.runtime.snapshots.copying import CopySnapshotter
from pybuild.runtime.snapshots.overlay import OverlaySnapshotter
from pybuild.runtime.snapshots.types import Snapshotter
from pybuild.runtime.solver.types import Cancellation

pytestmark = pytest.mark.root

Make = Callable[[bytes], object]


@pytest.fixture(params=[OverlaySnapshotter, CopySnapshotter])
def snapshotter(request: pytest.FixtureRequest, store: Store) -> Snapshotter:
    made: Snapshotter = request.param(store)
    return made


def by_step(snapshotter: Snapshotter, make: Make, parent: int | None = None) -> int:
    """What a step does in a mount."""
    active = snapshotter.prepare(parent)
    with active.mount() as root:
        make(root)
    return active.commit()


def by_files(snapshotter: Snapshotter, *paths: bytes) -> int:
    """Files written without a mount, over nothing, as a copy does."""
    active = snapshotter.prepare(None)
    for path in paths:
        write(active.upper, path)
    return active.commit()


def write(root: bytes, path: bytes, data: bytes = b"new") -> None:
    os.makedirs(os.path.dirname(root + b"/" + path), exist_ok=True)
    with open(root + b"/" + path, "wb") as file:
        file.write(data)


def paths(snapshotter: Snapshotter, state: int | None) -> set[bytes]:
    return set(in_tree(snapshotter.tree(state)))


def many(*steps: Make) -> Make:
    return lambda root: [step(root) for step in steps]


def test_a_copy_is_laid_on_any_base_without_a_file_of_its_own(store: Store) -> None:
    snapshotter = OverlaySnapshotter(store)
    copy = by_files(snapshotter, b"app/one", b"app/two")
    bases = [by_step(snapshotter, lambda root, n=n: write(root, b"app/base%d" % n)) for n in range(3)]  # type: ignore[misc]
    before = set(os.listdir(store.path("snapshots")))
    stacked = [snapshotter.stack(base, copy) for base in bases]
    assert set(os.listdir(store.path("snapshots"))) == before
    layers = Layers(store, snapshotter)
    for number, state in enumerate(stacked):
        assert paths(snapshotter, state) == {b"app", b"app/one", b"app/two", b"app/base%d" % number}
        with snapshotter.mount(state) as root:
            assert sorted(os.listdir(root + b"/app")) == [b"base%d" % number, b"one", b"two"]
        assert snapshotter.layers(state) == [bases[number], copy]
        assert snapshotter.trusted(state)
    found = [layers.layers(state, Compression("gzip"))[-1] for state in stacked]
    assert {(one.digest, one.diff_id) for one in found} == {(found[0].digest, found[0].diff_id)}
    assert store.query("SELECT count(*) FROM layer WHERE snapshot = ?", copy) == [(1,)]
    assert len({snapshotter.identity(state) for state in stacked}) == 3


def test_stacking_twice_is_the_same_snapshot(snapshotter: Snapshotter) -> None:
    base, copy = by_step(snapshotter, lambda root: write(root, b"a")), by_files(snapshotter, b"b")
    first = snapshotter.stack(base, copy)
    assert snapshotter.stack(base, copy) == first
    assert snapshotter.stack(base, first) == first
    assert snapshotter.stack(None, copy) == copy
    assert snapshotter.stack(None, base) == base


def test_what_a_step_made_anew_hides_nothing_of_another_base(snapshotter: Snapshotter) -> None:
    """The kernel marks directories as opaque that a step makes."""
    made = by_step(
        snapshotter, many(lambda root: write(root, b"d/e/new"), lambda root: os.mkdir(root + b"/s"))
    )
    base = by_step(
        snapshotter, many(lambda root: write(root, b"d/e/old"), lambda root: write(root, b"s/old"))
    )
    state = snapshotter.stack(base, made)
    assert paths(snapshotter, state) == {b"d", b"d/e", b"d/e/new", b"d/e/old", b"s", b"s/old"}
    with snapshotter.mount(state) as root:
        assert os.listdir(root + b"/s") == [b"old"]


def test_a_directory_made_anew_deletes_what_it_replaced_and_no_more(snapshotter: Snapshotter) -> None:
    base = by_step(snapshotter, many(lambda root: write(root, b"d/x"), lambda root: write(root, b"d/y")))

    def anew(root: bytes) -> None:
        for name in (b"x", b"y"):
            os.unlink(root + b"/d/" + name)
        os.rmdir(root + b"/d")
        write(root, b"d/y")

    upper = by_step(snapshotter, anew, base)
    other = by_step(snapshotter, many(lambda root: write(root, b"d/x"), lambda root: write(root, b"d/z")))
    laid = snapshotter.stack(other, upper)
    assert paths(snapshotter, laid) == {b"d", b"d/y", b"d/z"}


def test_deletions_hide_what_another_base_has_and_leave_no_trace_elsewhere(snapshotter: Snapshotter) -> None:
    base = by_step(snapshotter, many(lambda root: write(root, b"d/x"), lambda root: write(root, b"d/y")))
    upper = by_step(snapshotter, lambda root: os.unlink(root + b"/d/x"), base)
    with_x = by_step(
        snapshotter, many(lambda root: write(root, b"d/x/deep"), lambda root: write(root, b"d/w"))
    )
    assert paths(snapshotter, snapshotter.stack(with_x, upper)) == {b"d", b"d/w"}
    without = by_step(snapshotter, lambda root: write(root, b"other"))
    state = snapshotter.stack(without, upper)
    # As unpacking the layer does: the directory that leads to the deletion is there.
    assert paths(snapshotter, state) == {b"d", b"other"}
    with snapshotter.mount(state) as root:
        assert os.listdir(root + b"/d") == []


def test_directories_that_lead_to_a_change_bring_their_attributes(snapshotter: Snapshotter) -> None:
    def closed(root: bytes) -> None:
        write(root, b"a/b/f")
        os.chmod(root + b"/a", 0o700)
        os.chown(root + b"/a/b", 7, 8)

    base = by_step(snapshotter, closed)

    def append(root: bytes) -> None:
        with open(root + b"/a/b/f", "ab") as file:
            file.write(b"more")

    upper = by_step(snapshotter, append, base)
    assert [change.path for change in snapshotter.changes(upper)] == [b"a/b/f"]
    for other in (None, by_step(snapshotter, lambda root: write(root, b"a/b/g"))):
        tree = snapshotter.tree(snapshotter.stack(other, upper))
        outer, inner = tree.lstat(b"a"), tree.lstat(b"a/b")
        assert outer is not None
        assert inner is not None
        assert outer.stat.st_mode & 0o7777 == 0o700
        assert (inner.stat.st_uid, inner.stat.st_gid) == (7, 8)


def test_a_symlink_in_the_way_is_replaced(snapshotter: Snapshotter) -> None:
    copy = by_files(snapshotter, b"lib/new")
    base = by_step(
        snapshotter,
        many(lambda root: write(root, b"usr/lib/old"), lambda root: os.symlink(b"usr/lib", root + b"/lib")),
    )
    state = snapshotter.stack(base, copy)
    assert paths(snapshotter, state) == {b"lib", b"lib/new", b"usr", b"usr/lib", b"usr/lib/old"}
    with snapshotter.mount(state) as root:
        assert not os.path.islink(root + b"/lib")


def test_the_root_directory_stays_the_base_s(snapshotter: Snapshotter) -> None:
    copy = by_files(snapshotter, b"f")
    base = by_step(snapshotter, lambda root: os.chmod(root, 0o1770))
    state = snapshotter.stack(base, copy)
    with snapshotter.mount(state) as root:
        assert os.stat(root).st_mode & 0o7777 == 0o1770
        assert os.listdir(root) == [b"f"]


def test_no_file_gets_a_second_name_by_a_merge(store: Store) -> None:
    """A copy from a stage is links into it; over that stage they would be two names of one file."""
    snapshotter = OverlaySnapshotter(store)
    stage = by_files(snapshotter, b"big", b"other")
    copied = _copied(store, snapshotter, Copy("/big", "/dest/again", create_dest_path=True), stage)
    assert _inode(snapshotter, copied, b"dest/again") == _inode(snapshotter, stage, b"big")
    laid = snapshotter.stack(stage, copied)
    assert _inode(snapshotter, laid, b"dest/again") != _inode(snapshotter, laid, b"big")
    assert snapshotter.layers(laid) == [stage, copied]
    # Two copies of different files of one stage have nothing in common, and share what they can.
    second = _copied(store, snapshotter, Copy("/other", "/o"), stage)
    both = snapshotter.stack(copied, second)
    assert _inode(snapshotter, both, b"o") == _inode(snapshotter, stage, b"other")
    # The same file under another name, by way of a copy of the copy.
    third = _copied(store, snapshotter, Copy("/dest/again", "/third"), copied)
    over = snapshotter.stack(stage, third)
    assert _inode(snapshotter, over, b"third") != _inode(snapshotter, over, b"big")


def _copied(store: Store, snapshotter: OverlaySnapshotter, copy: Copy, source: int) -> int:
    handler = FileHandler(snapshotter, Records(store, snapshotter))
    vertex = vertex_of([FileAction(EMPTY, 0, 0, copy)], 1)
    (out,) = handler.run(vertex, [Snapshot(source)], Cancellation())
    assert isinstance(out, Snapshot)
    assert out.id is not None
    return out.id


def _inode(snapshotter: Snapshotter, state: int, path: bytes) -> int:
    node = snapshotter.tree(state).lstat(path)
    assert node is not None
    return node.stat.st_ino


def test_a_layer_that_is_there_twice(store: Store) -> None:
    snapshotter = OverlaySnapshotter(store)
    low, high = by_files(snapshotter, b"d/a", b"d/b"), by_files(snapshotter, b"d/a")
    state = snapshotter.stack(snapshotter.stack(low, high), low)
    assert snapshotter.layers(state) == [low, high, low]
    with snapshotter.mount(state) as root:
        assert sorted(os.listdir(root + b"/d")) == [b"a", b"b"]
    found = Layers(store, snapshotter).layers(state, Compression("uncompressed"))
    assert found[0].digest == found[2].digest != found[1].digest


def test_long_chains_of_shared_layers_are_mounted(store: Store) -> None:
    snapshotter = OverlaySnapshotter(store)
    copies = [by_files(snapshotter, b"d/%d" % number) for number in range(520)]
    other = by_step(snapshotter, lambda root: write(root, b"base"))
    state = other
    for copy in copies:
        state = snapshotter.stack(state, copy)
    with snapshotter.mount(state) as root:
        assert len(os.listdir(root + b"/d")) == 520
        assert os.listdir(root + b"/") != []
    assert len(snapshotter.tree(state).list(b"d")) == 520
    assert len(snapshotter.layers(state)) == 521


def test_what_shares_files_keeps_them(store: Store) -> None:
    snapshotter = OverlaySnapshotter(store)
    copy = by_files(snapshotter, b"f")
    base = by_step(snapshotter, lambda root: write(root, b"base"))
    state = snapshotter.stack(base, copy)
    assert snapshotter.remove([copy, base]) == []
    assert sweep_orphans(store) == []
    assert paths(snapshotter, state) == {b"base", b"f"}
    assert snapshotter.remove([copy, base, state]) == [state, base, copy]
    assert os.listdir(store.path("snapshots")) in ([], ["empty"])
    copy, base = by_files(snapshotter, b"f"), by_files(snapshotter, b"g")
    state = snapshotter.stack(base, copy)
    store.lease("snapshot", str(state))
    assert snapshotter.remove([copy, base, state]) == []


def test_shared_files_are_trusted_only_if_both_snapshots_are(store: Store) -> None:
    snapshotter = OverlaySnapshotter(store)
    copy, base = by_files(snapshotter, b"f"), by_files(snapshotter, b"b")
    state = snapshotter.stack(base, copy)
    with store.transaction() as db:
        db.execute("UPDATE snapshot SET boot = 'earlier' WHERE id = ?", (copy,))
    assert not OverlaySnapshotter(store).trusted(state)
    with store.transaction() as db:
        db.execute("UPDATE snapshot SET synced = 1 WHERE id = ?", (copy,))
    assert OverlaySnapshotter(store).trusted(state)
    os.rename(store.path("snapshots", str(copy)), store.path("work", "away"))
    assert not OverlaySnapshotter(store).trusted(state)


def test_a_store_of_the_version_before_is_taken_over(tmp_path: Path) -> None:
    root = str(tmp_path / "old")
    with Store.open(root) as store:
        snapshotter = CopySnapshotter(store)
        kept = by_files(snapshotter, b"f")
    path, now = (os.path.join(root, f"records-v{version}.sqlite") for version in (1, VERSION))
    os.rename(now, path)
    earlier = [line for line in TABLES.splitlines() if "origin" not in line and "shares" not in line]
    made = "\n".join(earlier).replace("    identity TEXT, ", "    identity TEXT ")
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript(
        "ALTER TABLE snapshot RENAME TO kept; DROP INDEX snapshot_identity; DROP INDEX snapshot_parent;"
        f"DROP INDEX snapshot_origin; {made} INSERT INTO snapshot SELECT id, parent, kind, boot, synced, depth,"
        "created, identity FROM kept; DROP TABLE kept; PRAGMA user_version=1;"
    )
    db.close()
    with open(os.path.join(root, "store.json"), "w", encoding="utf-8") as file:
        json.dump({"schema": 1, "written_by": "0.1"}, file)
    for _ in range(2):
        with Store.open(root) as store:
            snapshotter = CopySnapshotter(store)
            assert snapshotter.trusted(kept)
            assert snapshotter.layers(kept) == [kept]
        assert not os.path.exists(path)
    with open(os.path.join(root, "store.json"), encoding="utf-8") as file:
        assert json.load(file)["schema"] == VERSION
