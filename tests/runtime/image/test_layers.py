"""Layers of snapshots, unpacking of images, and both forms of a snapshotter against each other."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.runtime.image.room import Room

from pybuild.lang.diagnostics import Cancelled, UserError
from pybuild.runtime.content.blobs import DigestMismatch
from pybuild.runtime.content.store import Store
from pybuild.runtime.image import layerreading
from pybuild.runtime.image.compression import Compression
from pybuild.runtime.image.decompression import open_decompressed
from pybuild.runtime.image.descriptor import OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD, Descriptor
from pybuild.runtime.image.indexes import open_indexes
from pybuild.runtime.image.layers import Layers, chain_ids
from pybuild.runtime.image.tarwriter import header
from pybuild.runtime.image.unpack import unpack
from pybuild.runtime.snapshots.copying import CopySnapshotter
from pybuild.runtime.snapshots.types import Snapshotter

pytestmark = pytest.mark.root

GZIP = Compression("gzip")


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    room = Room(tmp_path / "store")
    yield room
    room.close()


def digest(data: bytes) -> str:
    return "sha256:" + sha256(data).hexdigest()


def read_layer(store: Store, layer: Descriptor) -> bytes:
    with open(store.blobs.path(layer.digest), "rb") as file:
        return open_decompressed(file).read()


def tar(*entries: tuple[bytes, bytes]) -> bytes:
    """An archive of (kind, name); files hold their own name, links lead to `f`."""
    out = []
    for kind, name in entries:
        content = name if kind == b"0" else b""
        link = b"f" if kind in (b"1", b"2") else b""
        out.append(header(name, kind, 0o755, 0, 0, len(content), 1000, link))
        out.append(content + bytes(-len(content) % 512))
    return b"".join(out) + bytes(1024)


def put_layer(store: Store, archive: bytes) -> Descriptor:
    import gzip

    blob = gzip.compress(archive, 1, mtime=0)
    return Descriptor(OCI_LAYER_GZIP, store.blobs.put(blob), len(blob), diff_id=digest(archive))


def test_a_layer_is_made_once(room: Room) -> None:
    snapshot = room.snapshot(None, {"a/f": "x" * 5000, "b": "y"})
    layers = Layers(room.store, room.snapshotter)
    first = layers.layer(snapshot, GZIP)
    made = os.stat(room.store.blobs.path(first.digest)).st_mtime_ns
    assert layers.layer(snapshot, GZIP) == first
    assert Layers(room.store, room.snapshotter).layer(snapshot, GZIP) == first
    assert os.stat(room.store.blobs.path(first.digest)).st_mtime_ns == made
    assert first.media_type == OCI_LAYER_GZIP
    assert first.size == room.store.blobs.size(first.digest)
    assert digest(read_layer(room.store, first)) == first.diff_id
    [(compressor,)] = room.store.query("SELECT compressor FROM layer")
    assert str(compressor).startswith("isal ")
    assert room.store.query("SELECT kind FROM lease WHERE ref = ?", first.digest) == [("blob",)]


def test_variants_have_one_diff_id(room: Room) -> None:
    snapshot = room.snapshot(None, {"f": os.urandom(3 << 20)})
    layers = Layers(room.store, room.snapshotter)
    made = [layers.layer(snapshot, Compression(name)) for name in ("gzip", "zstd", "uncompressed")]
    assert [layer.media_type for layer in made] == [OCI_LAYER_GZIP, OCI_LAYER_ZSTD, OCI_LAYER]
    assert {layer.diff_id for layer in made} == {layers.diff_id(snapshot)} == {made[2].digest}
    assert len({layer.digest for layer in made}) == 3


def test_a_diff_id_alone_makes_no_blob(room: Room) -> None:
    snapshot = room.snapshot(None, {"f": "x"})
    layers = Layers(room.store, room.snapshotter)
    alone = layers.diff_id(snapshot)
    assert os.listdir(room.store.blobs.root) == []
    assert layers.diff_ids(snapshot) == [alone]
    assert layers.layer(snapshot, GZIP).diff_id == alone
    assert layers.diff_id(snapshot, clamp=10**12) == alone
    assert layers.diff_id(snapshot, clamp=1) != alone


def test_clamped_layers_are_variants(room: Room) -> None:
    snapshot = room.snapshot(None, {"f": "x"})
    layers = Layers(room.store, room.snapshotter)
    plain = layers.layer(snapshot, GZIP)
    clamped = layers.layer(snapshot, GZIP, clamp=1000)
    assert plain.digest != clamped.digest
    assert layers.layer(snapshot, GZIP, clamp=1000) == clamped
    assert layers.layer(snapshot, GZIP) == plain


def test_a_blob_that_is_gone_is_made_again(room: Room) -> None:
    snapshot = room.snapshot(None, {"f": "x"})
    layers = Layers(room.store, room.snapshotter)
    first = layers.layer(snapshot, GZIP)
    os.unlink(room.store.blobs.path(first.digest))
    assert layers.layer(snapshot, GZIP) == first
    assert room.store.blobs.has(first.digest)


def test_the_diff_over_a_parent(room: Room) -> None:
    base = room.snapshot(None, {"d/old": "1", "d/kept": "2", "e/x": "3"})
    active = room.snapshotter.prepare(base)
    with active.mount() as root:
        os.unlink(root + b"/d/old")
        with open(root + b"/d/new", "w") as file:
            file.write("n")
    top = active.commit()
    import tarfile

    data = read_layer(room.store, Layers(room.store, room.snapshotter).layer(top, GZIP))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert sorted(archive.getnames()) == ["d", "d/.wh.old", "d/new"]


def test_empty_layers(room: Room) -> None:
    base = room.snapshot(None, {"f": "x"})
    top = room.snapshot(base, {})
    layers = Layers(room.store, room.snapshotter)
    assert layers.is_empty(top)
    assert not layers.is_empty(base)
    empty = layers.layer(top, GZIP)
    assert empty.diff_id == digest(bytes(1024))


def test_many_threads_get_one_layer(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = room.snapshot(None, {"f": os.urandom(1 << 20)})
    layers = Layers(room.store, room.snapshotter)
    runs: list[int] = []
    real = layers._write

    def counted(*args: Any) -> None:
        runs.append(1)
        real(*args)

    monkeypatch.setattr(layers, "_write", counted)
    found: list[Descriptor] = []
    workers = [threading.Thread(target=lambda: found.append(layers.layer(snapshot, GZIP))) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(set(found)) == 1
    assert len(found) == 6
    assert len(runs) == 1


def test_layers_of_a_chain_in_order(room: Room) -> None:
    top: int | None = None
    for number in range(5):
        top = room.snapshot(top, {f"f{number}": str(number)})
    seen: list[Descriptor] = []
    layers = Layers(room.store, room.snapshotter)
    made = layers.layers(top, GZIP, done=seen.append)
    assert [b"f%d" % number in read_layer(room.store, layer) for number, layer in enumerate(made)] == [
        True
    ] * 5
    assert set(seen) == set(made)
    assert layers.layers(None, GZIP) == []


def test_cancelling(room: Room) -> None:
    snapshot = room.snapshot(None, {"f": os.urandom(3 << 20)})
    layers = Layers(room.store, room.snapshotter)
    with pytest.raises(Cancelled):
        layers.layer(snapshot, GZIP, cancelled=lambda: True)
    assert not any(name.endswith(".tmp") for name in os.listdir(room.store.work))
    assert layers.layer(snapshot, GZIP).size > 3 << 20


def test_a_pulled_layer_is_exported_as_it_was(room: Room) -> None:
    pulled = put_layer(room.store, tar((b"0", b"f"), (b"2", b"l")))
    snapshot = unpack(room.store, room.snapshotter, [pulled])
    layers = Layers(room.store, room.snapshotter)
    assert layers.layers(snapshot, GZIP) == [pulled]
    assert layers.layers(snapshot, Compression("zstd"), clamp=5) == [pulled]
    assert layers.layers(snapshot, GZIP, force=True) == [pulled]
    [forced] = layers.layers(snapshot, Compression("zstd"), clamp=5, force=True)
    assert forced.media_type == OCI_LAYER_ZSTD
    assert forced.diff_id == pulled.diff_id
    assert read_layer(room.store, forced) == tar((b"0", b"f"), (b"2", b"l"))


def test_layers_of_several_images_share_snapshots(room: Room) -> None:
    base, one, two = (put_layer(room.store, tar((b"0", name))) for name in (b"base", b"one", b"two"))
    first = unpack(room.store, room.snapshotter, [base, one])
    second = unpack(room.store, room.snapshotter, [base, two])
    assert first != second
    assert room.snapshotter.chain(first)[0] == room.snapshotter.chain(second)[0]
    asked: list[str] = []
    third = unpack(
        room.store, room.snapshotter, [base, one], wait_blob=lambda layer: asked.append(layer.digest)
    )
    assert third == first
    assert asked == []
    assert unpack(room.store, room.snapshotter, []) is None


def test_blobs_are_waited_for_one_by_one(room: Room) -> None:
    archives = [tar((b"0", name)) for name in (b"one", b"two")]
    import gzip

    blobs = {digest(gzip.compress(data, mtime=0)): gzip.compress(data, mtime=0) for data in archives}
    described = [
        Descriptor(OCI_LAYER_GZIP, name, len(blob), diff_id=digest(data))
        for (name, blob), data in zip(blobs.items(), archives, strict=True)
    ]
    order: list[str] = []

    def wait(layer: Descriptor) -> None:
        order.append(layer.digest)
        room.store.blobs.put(blobs[layer.digest])

    snapshot = unpack(room.store, room.snapshotter, described, wait_blob=wait)
    assert order == list(blobs)
    assert [node.path for node in room.snapshotter.tree(snapshot).list(b"")] == [b"one", b"two"]


def test_a_wrong_diff_id_keeps_nothing(room: Room) -> None:
    good = put_layer(room.store, tar((b"0", b"f")))
    bad = good.with_diff_id(digest(b"other"))
    with pytest.raises(DigestMismatch):
        unpack(room.store, room.snapshotter, [bad])
    assert room.store.query("SELECT * FROM chain") == []
    assert room.store.query("SELECT * FROM layer") == []
    assert unpack(room.store, room.snapshotter, [good]) is not None


def test_chain_ids() -> None:
    one, two = digest(b"1"), digest(b"2")
    assert chain_ids([one]) == [one]
    assert chain_ids([one, two]) == [one, digest(f"{one} {two}".encode())]


NAMES = [b"f", b"d", b"d/f", b"d/e", b"d/e/f", b"g"]
MARKS = [
    b".wh.f",
    b".wh.d",
    b"d/.wh.f",
    b"d/.wh.e",
    b"d/.wh..wh..opq",
    b".wh..wh..opq",
    b".wh.g",
    b"d/e/.wh..wh..opq",
]
entry = st.one_of(
    st.tuples(st.sampled_from([b"0", b"2"]), st.sampled_from(NAMES)),
    st.tuples(st.just(b"5"), st.sampled_from([b"d/", b"d/e/", b"f/", b"g/"])),
    st.tuples(st.just(b"0"), st.sampled_from(MARKS)),
)


def merged(snapshotter: Snapshotter, snapshot: int) -> list[tuple[bytes, int, object]]:
    out: list[tuple[bytes, int, object]] = []
    for node in snapshotter.tree(snapshot).walk(b""):
        content: object = None
        if node.stat.st_mode & 0o170000 == 0o100000:
            content = node.digest()
        out.append((node.path, node.stat.st_mode, content))
    return out


def apply(snapshotter: Snapshotter, layers: list[list[tuple[bytes, bytes]]]) -> object:
    """The tree after `layers`, or the error's text."""
    snapshot: int | None = None
    for entries in layers:
        stream = io.BytesIO(tar(*entries))
        active = snapshotter.prepare(snapshot)
        try:
            layerreading.read_layer(snapshotter, active, partial(stream.read, 1 << 16), "archive", sha256())
            snapshot = active.commit()
        except UserError as error:
            active.abort()
            return type(error).__name__, str(error)
    assert snapshot is not None
    return merged(snapshotter, snapshot)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(entry, max_size=6), min_size=1, max_size=3))
@example([[(b"0", b"d/e/.wh..wh..opq")], [(b"0", b"d"), (b"5", b"d/")]])
@example([[(b"2", b"f"), (b"2", b"d")], [(b"0", b"d/e/.wh..wh..opq")]])
def test_all_forms_of_a_snapshot_mean_the_same(room: Room, layers: list[list[tuple[bytes, bytes]]]) -> None:
    expected = apply(room.snapshotter, layers)
    assert expected == apply(CopySnapshotter(room.store), layers)
    assert expected == apply(open_indexes(room.store), layers)


def test_marks_speak_of_the_parent_only(room: Room) -> None:
    base = [(b"5", b"d/"), (b"0", b"d/f"), (b"0", b"d/g"), (b"0", b"f")]
    top = [(b"0", b"d/new"), (b"0", b"d/.wh..wh..opq"), (b"0", b".wh.f"), (b"0", b"g")]
    found = apply(room.snapshotter, [base, top])
    assert isinstance(found, list)
    assert [path for path, _, _ in found] == [b"d", b"d/new", b"g"]


def test_implied_directories_look_like_the_parents(room: Room) -> None:
    below = header(b"d/", b"5", 0o2751, 7, 8, 0, 77, b"", None, {b"user.note": b"n"}) + bytes(1024)
    first = Descriptor(OCI_LAYER, room.store.blobs.put(below), len(below), diff_id=digest(below))
    above = tar((b"0", b"d/f"))
    second = Descriptor(OCI_LAYER, room.store.blobs.put(above), len(above), diff_id=digest(above))
    kinds: list[Snapshotter] = [
        room.snapshotter,
        CopySnapshotter(room.store),
        open_indexes(room.store),
    ]
    for snapshotter in kinds:
        room.store.query("SELECT 1")
        with room.store.transaction() as db:
            db.execute("DELETE FROM chain")
        snapshot = unpack(room.store, snapshotter, [first, second])
        node = snapshotter.tree(snapshot).lstat(b"d")
        assert node is not None
        state = node.stat
        assert (state.st_mode & 0o7777, state.st_uid, state.st_gid, state.st_mtime) == (0o2751, 7, 8, 77)
        assert list(node.attributes()) == [("user.note", b"n")]
