"""Commit, trust, identity lookups, removal and what crashes leave."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.runtime.snapshots.indexes import ShownIndex

from pybuild.runtime.content.store import Store
from pybuild.runtime.snapshots.committed import SnapshotError, sweep_orphans
from pybuild.runtime.snapshots.copying import CopySnapshotter
from pybuild.runtime.snapshots.overlay import OverlaySnapshotter
from pybuild.runtime.snapshots.removal import remove_tree
from pybuild.runtime.snapshots.syncing import sync_old
from pybuild.runtime.snapshots.types import Snapshotter
from pybuild.runtime.snapshots.upper import hide, make_directory, make_opaque_directory, replace

pytestmark = pytest.mark.root


def with_file(snapshotter: Snapshotter, parent: int | None, name: bytes, content: bytes = b"") -> int:
    active = snapshotter.prepare(parent)
    with open(active.upper + b"/" + name, "wb") as file:
        file.write(content)
    return active.commit()


@pytest.fixture(params=[OverlaySnapshotter, CopySnapshotter, ShownIndex])
def snapshotter(request: pytest.FixtureRequest, store: Store) -> Snapshotter:
    made: Snapshotter = request.param(store)
    return made


def test_chain_and_rows(store: Store, snapshotter: Snapshotter) -> None:
    one = with_file(snapshotter, None, b"a")
    two = with_file(snapshotter, one, b"b")
    assert snapshotter.chain(two) == [one, two]
    assert snapshotter.chain(None) == []
    assert store.query("SELECT parent, kind, boot, synced, depth FROM snapshot ORDER BY id") == [
        (None, snapshotter.name, store.boot, 0, 1),
        (one, snapshotter.name, store.boot, 0, 2),
    ]
    assert [node.path for node in snapshotter.tree(two).list(b"")] == [b"a", b"b"]
    assert snapshotter.tree(None).list(b"") == []


def test_the_root_directory_is_inherited(snapshotter: Snapshotter) -> None:
    active = snapshotter.prepare(None)
    os.chmod(active.upper, 0o1777)
    os.chown(active.upper, 7, 8)
    two = with_file(snapshotter, active.commit(), b"a")
    root = snapshotter.tree(two).resolve(b"").node
    assert root is not None
    assert (root.stat.st_mode & 0o7777, root.stat.st_uid, root.stat.st_gid) == (0o1777, 7, 8)
    with snapshotter.mount(two) as mounted:
        assert os.stat(mounted).st_mode & 0o7777 == 0o1777


def test_a_mounted_snapshot_is_read_only(snapshotter: Snapshotter) -> None:
    snapshot = with_file(snapshotter, None, b"a")
    with snapshotter.mount(snapshot) as root, pytest.raises(OSError, match="Read-only"):
        os.unlink(root + b"/a")
    with snapshotter.mount(None) as root:
        assert os.listdir(root) == []


def test_another_boot_is_trusted_only_after_a_sync(store: Store, snapshotter: Snapshotter) -> None:
    one = with_file(snapshotter, None, b"a")
    assert sync_old(store) == 1
    two = with_file(snapshotter, one, b"b")
    identity = snapshotter.identity(two)
    store.boot = "another boot"
    later = type(snapshotter)(store)  # type: ignore[call-arg]
    assert later.trusted(one)
    assert not later.trusted(two)
    assert later.by_identity(identity) is None
    assert later.by_identity(snapshotter.identity(one)) == one
    three = with_file(later, two, b"c")  # on what is not trusted nothing is either
    assert not later.trusted(three)
    assert sync_old(store) == 1
    assert not later.trusted(three)


def test_missing_files_are_not_trusted(store: Store, snapshotter: Snapshotter) -> None:
    one = with_file(snapshotter, None, b"a")
    remove_tree(store.path("snapshots", str(one)))
    assert not snapshotter.trusted(one)
    assert not snapshotter.trusted(99)


def test_kinds_do_not_see_each_other(store: Store) -> None:
    layered, plain = OverlaySnapshotter(store), CopySnapshotter(store)
    one = with_file(layered, None, b"a")
    assert not plain.trusted(one)
    assert plain.by_identity(layered.identity(one)) is None
    with pytest.raises(SnapshotError, match="not in the store"):
        plain.prepare(one)
    assert OverlaySnapshotter(store, userxattr=True).by_identity(layered.identity(one)) is None


def test_the_earliest_snapshot_of_an_identity_is_found(snapshotter: Snapshotter) -> None:
    one = with_file(snapshotter, None, b"a", b"x")
    two = with_file(snapshotter, None, b"a", b"x")
    other = with_file(snapshotter, None, b"a", b"y")
    assert snapshotter.identity(one) == snapshotter.identity(two) != snapshotter.identity(other)
    assert snapshotter.by_identity(snapshotter.identity(two)) == one
    assert snapshotter.identity(None) != snapshotter.identity(with_file(snapshotter, one, b"b"))


def test_remove_keeps_what_is_needed(store: Store, snapshotter: Snapshotter) -> None:
    one = with_file(snapshotter, None, b"a")
    two = with_file(snapshotter, one, b"b")
    three = with_file(snapshotter, two, b"c")
    four = with_file(snapshotter, one, b"d")
    store.lease("snapshot", str(four))
    assert snapshotter.remove([one, two, four]) == []
    assert snapshotter.remove([one, two, three, four]) == [three, two]
    assert sorted(os.listdir(store.path("snapshots"))) == [str(one), str(four)]
    assert not snapshotter.trusted(two)
    assert snapshotter.trusted(four)


def test_a_number_is_never_given_twice(store: Store, snapshotter: Snapshotter) -> None:
    one = with_file(snapshotter, None, b"a")
    two = with_file(snapshotter, one, b"b")
    snapshotter.remove([two])
    three = with_file(snapshotter, one, b"c")
    assert three > two
    snapshotter.remove([three, one])
    assert with_file(snapshotter, None, b"d") > three
    assert snapshotter.trusted(three) is False


def test_orphans_are_swept_and_snapshots_are_not(store: Store, snapshotter: Snapshotter) -> None:
    one = with_file(snapshotter, None, b"a")
    for name in ("7", str(one + 1)):
        os.makedirs(store.path("snapshots", name, "fs", "x"))
    two = with_file(snapshotter, one, b"b")  # takes the number of an orphan
    assert [node.path for node in snapshotter.tree(two).list(b"")] == [b"a", b"b"]
    assert sweep_orphans(store) == [7]
    left = {name for name in os.listdir(store.path("snapshots")) if name.isdigit()}
    assert left == {str(one), str(two)}


def test_a_whiteout_that_hides_nothing_is_no_change(store: Store) -> None:
    snapshotter = OverlaySnapshotter(store)
    parent = with_file(snapshotter, None, b"a")
    active = snapshotter.prepare(parent)
    active.whiteout(b"a")
    active.whiteout(b"none")
    assert os.listdir(active.upper) == [b"a"]
    os.mknod(active.upper + b"/stray", 0o020000, 0)
    os.mkdir(active.upper + b"/d")
    active.set_opaque(b"d")
    snapshot = active.commit()
    assert [(change.kind, change.path) for change in snapshotter.changes(snapshot)] == [
        ("delete", b"a"),
        ("add", b"d"),
    ]
    assert [node.path for node in snapshotter.tree(snapshot).list(b"")] == [b"d"]


def test_a_directory_removed_and_made_again_shows_nothing_of_the_parent(store: Store) -> None:
    snapshotter = OverlaySnapshotter(store)
    active = snapshotter.prepare(None)
    os.makedirs(active.upper + b"/d/sub")
    active = snapshotter.prepare(active.commit())
    for _ in range(2):
        with open(replace(snapshotter, active, b"d/sub/x"), "wb"):
            pass
        assert hide(snapshotter, active, b"d")
        assert not hide(snapshotter, active, b"d/sub")
        make_directory(snapshotter, active, b"d")
        assert snapshotter.active_tree(active).list(b"d") == []
        make_directory(snapshotter, active, b"d/sub")
    with active.mount() as root:
        assert os.listdir(root + b"/d") == [b"sub"]
        assert os.listdir(root + b"/d/sub") == []
    with active.mount() as root:
        os.rmdir(root + b"/d/sub")
    assert snapshotter.active_tree(active).list(b"d") == []


def test_an_opaque_directory_deletes_what_it_hides(store: Store) -> None:
    snapshotter = OverlaySnapshotter(store)
    active = snapshotter.prepare(None)
    os.makedirs(active.upper + b"/d/sub/deep")
    os.makedirs(active.upper + b"/d/gone/deep")
    os.utime(active.upper + b"/d/sub", ns=(5, 5))
    active = snapshotter.prepare(active.commit())
    os.mkdir(make_opaque_directory(snapshotter, active, b"d") + b"/sub")
    os.utime(active.upper + b"/d/sub", ns=(5, 5))
    assert [(change.kind, change.path) for change in snapshotter.changes(active.commit())] == [
        ("add", b"d"),
        ("delete", b"d/gone"),
        ("add", b"d/sub"),
        ("delete", b"d/sub/deep"),
    ]


def test_a_plain_copy_notices_a_change_that_keeps_size_and_times(store: Store) -> None:
    snapshotter = CopySnapshotter(store)
    parent = with_file(snapshotter, None, b"a", b"one")
    with_both = with_file(snapshotter, parent, b"b", b"two")
    active = snapshotter.prepare(with_both)
    with open(active.upper + b"/a", "r+b") as file:
        before = os.fstat(file.fileno())
        file.write(b"ONE")
    os.utime(active.upper + b"/a", ns=(before.st_atime_ns, before.st_mtime_ns))
    os.chmod(active.upper + b"/b", 0o644)  # touched, and still the same
    assert [(change.kind, change.path) for change in snapshotter.changes(active.commit())] == [("add", b"a")]


COMMITTER = """
import os, sys
from tests.runtime.snapshots.indexes import ShownIndex

from pybuild.runtime.content.store import Store
from pybuild.runtime.snapshots.{module} import {kind}
store = Store.open(sys.argv[1])
snapshotter, parent, number = {kind}(store), None, 0
while True:
    active = snapshotter.prepare(parent)
    for name in range(20):
        with open(active.upper + b"/%d-%d" % (number, name), "wb") as file:
            file.write(b"content")
    parent = active.commit()
    number += 1
    print(parent, flush=True)
"""


@pytest.mark.parametrize(
    ("module", "kind"),
    [("overlay", OverlaySnapshotter), ("copying", CopySnapshotter)],
    ids=["overlay", "copy"],
)
def test_kill_at_any_moment_leaves_whole_snapshots(tmp_path: Path, module: str, kind: type) -> None:
    root = str(tmp_path / "store")
    program = COMMITTER.format(module=module, kind=kind.__name__)
    for round_ in range(6):
        builder = subprocess.Popen([sys.executable, "-c", program, root], stdout=subprocess.PIPE, text=True)
        assert builder.stdout is not None
        builder.stdout.readline()
        time.sleep(0.003 * round_)
        builder.send_signal(signal.SIGKILL)
        builder.communicate()
    with Store.open(root) as store:
        snapshotter = kind(store)
        own = os.path.basename(store.work)
        assert len(store.sweep(remove_tree)) == 6
        sweep_orphans(store)
        ids = [row[0] for row in store.query("SELECT id FROM snapshot")]
        assert len(ids) >= 6
        for snapshot in ids:
            assert snapshotter.trusted(snapshot)
            names = list(snapshotter.tree(snapshot).walk(b""))
            assert len(names) == 20 * len(snapshotter.chain(snapshot))
            assert all(node.stat.st_size == 7 for node in names)
        assert {name for name in os.listdir(store.path("snapshots")) if name.isdigit()} == set(map(str, ids))
        assert sorted(os.listdir(store.path("work"))) == [own, own + ".lock"]


def test_a_crash_between_rename_and_row(store: Store, snapshotter: Snapshotter) -> None:
    """The transaction fails after the directory has its name: nothing is there for anyone."""
    active = snapshotter.prepare(None)
    store.transaction().__enter__().execute(
        "CREATE TRIGGER refuse AFTER INSERT ON snapshot BEGIN SELECT RAISE(FAIL, 'no'); END"
    )
    store._db.execute("COMMIT")
    store._guard.release()
    with pytest.raises(Exception, match="no"):
        active.commit()
    assert store.query("SELECT * FROM snapshot") == []
    store._db.execute("DROP TRIGGER refuse")
    assert snapshotter.trusted(active.commit())
