"""Indexes on the disk: what they say, what they lean on, and what damage to them means."""

from __future__ import annotations

import gzip
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from pybuild.runtime.content.store import Store
from pybuild.runtime.image.descriptor import OCI_LAYER_GZIP, Descriptor
from pybuild.runtime.image.indexes import open_indexes
from pybuild.runtime.image.tarwriter import header
from pybuild.runtime.image.twins import usable
from pybuild.runtime.image.unpack import unpack
from pybuild.runtime.ops.files.indexwriter import IndexWriter
from pybuild.runtime.snapshots.index import IndexDamaged
from pybuild.runtime.snapshots.indexing import IndexSnapshotter
from pybuild.runtime.snapshots.overlay import OverlaySnapshotter

pytestmark = pytest.mark.root


def write(snapshotter: IndexSnapshotter, parent: int | None, name: bytes, data: bytes) -> int:
    active = snapshotter.prepare(parent)

    def fill(fd: int) -> int:
        os.write(fd, data)
        return 5

    IndexWriter(active).file(name, 0o4751, (7, 8), fill, [("user.note", b"n")])
    return active.commit()


def pulled(store: Store, snapshotter: IndexSnapshotter) -> int:
    layer = header(b"f", b"0", 0o600, 1, 2, 7) + b"content" + bytes(505 + 1024)
    blob = gzip.compress(layer)
    descriptor = Descriptor(
        OCI_LAYER_GZIP, store.blobs.put(blob), len(blob), diff_id="sha256:" + sha256(layer).hexdigest()
    )
    snapshot = unpack(store, snapshotter, [descriptor])
    assert snapshot is not None
    return snapshot


def content(snapshotter: IndexSnapshotter, snapshot: int, path: bytes) -> bytes:
    node = snapshotter.tree(snapshot).lstat(path)
    assert node is not None
    with node.content() as file:
        return file.read()


def test_a_pulled_layer_is_read_from_its_blob(store: Store) -> None:
    snapshotter = open_indexes(store)
    snapshot = pulled(store, snapshotter)
    place = snapshotter.committed.directory(snapshot)
    assert os.listdir(place) == [b"index"]
    assert content(snapshotter, snapshot, b"f") == b"content"
    assert sorted(os.listdir(place)) == [b"index", b"layer"]


def test_a_layer_that_is_gone_is_pulled_again(store: Store) -> None:
    snapshotter = open_indexes(store)
    snapshot = pulled(store, snapshotter)
    above = write(snapshotter, snapshot, b"g", b"above")
    assert snapshotter.trusted(above)
    ((blob,),) = store.query("SELECT digest FROM layer WHERE snapshot = ?", snapshot)
    os.unlink(store.blobs.path(str(blob)))
    assert not open_indexes(store).trusted(above)
    again = pulled(store, snapshotter)
    assert content(snapshotter, again, b"f") == b"content"


def test_a_damaged_index_is_named(store: Store) -> None:
    snapshotter = open_indexes(store)
    snapshot = write(snapshotter, None, b"f", b"data")
    path = Path(os.fsdecode(snapshotter.committed.directory(snapshot))) / "index"
    whole = path.read_bytes()
    for damaged in (whole[:-1], whole[:20], b"", whole[:70] + b"x" + whole[71:], b"X" + whole[1:]):
        path.write_bytes(damaged)
        with pytest.raises(IndexDamaged, match=str(path)):
            open_indexes(store).tree(snapshot)
    path.write_bytes(whole)
    assert content(open_indexes(store), snapshot, b"f") == b"data"


def test_what_is_damaged_has_no_twin(store: Store) -> None:
    snapshotter, overlay = open_indexes(store), OverlaySnapshotter(store)
    whole, damaged = (write(snapshotter, None, b"f", b"data") for _ in range(2))
    path = Path(os.fsdecode(snapshotter.committed.directory(damaged))) / "index"
    path.write_bytes(path.read_bytes()[:-1])
    assert usable(store, overlay, damaged) is None
    # Made once, whoever asks, and each is the other's.
    with ThreadPoolExecutor(2) as pool:
        (twin,) = set(pool.map(lambda _: usable(store, overlay, whole), range(2)))
    assert twin is not None
    assert usable(store, snapshotter, twin) == whole
    # A twin that goes away is made anew.
    with store.transaction() as db:
        db.execute("DELETE FROM lease WHERE kind = 'snapshot'")
    assert overlay.remove([twin]) == [twin]
    assert snapshotter.trusted(whole)
    assert usable(store, overlay, whole) not in (None, twin)


def test_the_same_diff_has_the_same_bytes(store: Store) -> None:
    snapshotter = open_indexes(store)
    places = [snapshotter.committed.directory(write(snapshotter, None, b"f", b"data")) for _ in range(2)]
    one, two = (Path(os.fsdecode(place) + "/index").read_bytes() for place in places)
    assert one == two


def test_contents_of_the_chain_are_not_copied(store: Store) -> None:
    snapshotter = open_indexes(store)
    below = write(snapshotter, None, b"f", b"data")
    for parent, kept in ((below, True), (None, False)):
        active = snapshotter.prepare(parent)
        node = snapshotter.tree(below).lstat(b"f")
        assert node is not None
        assert IndexWriter(active).file_like(b"copy", node) is kept
        active.commit()


def test_entries_need_no_permission(store: Store) -> None:
    snapshotter = open_indexes(store)
    snapshot = write(snapshotter, None, b"f", b"data")
    node = snapshotter.tree(snapshot).lstat(b"f")
    assert node is not None
    assert (node.stat.st_mode, node.stat.st_uid, node.stat.st_gid) == (stat.S_IFREG | 0o4751, 7, 8)
    assert (node.stat.st_mtime_ns, node.attributes()) == (5, (("user.note", b"n"),))
    data = os.lstat(snapshotter.committed.directory(snapshot) + b"/data")
    assert (stat.S_IMODE(data.st_mode), data.st_uid) == (0o600, os.geteuid())
