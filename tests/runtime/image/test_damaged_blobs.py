"""A file of the store that a disk has damaged is called the store's, removed, and fetched or made again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.runtime.image.room import Room
from tests.runtime.image.test_layers import put_layer, tar

from pybuild.runtime.content.blobs import DamagedBlob, DigestMismatch
from pybuild.runtime.image.compression import Compression
from pybuild.runtime.image.descriptor import Descriptor
from pybuild.runtime.image.layers import Layers
from pybuild.runtime.image.unpack import unpack

FILES = ((b"0", b"f"), (b"2", b"l"))


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    room = Room(tmp_path / "store")
    yield room
    room.close()


def damage(room: Room, digest: str, at: int) -> None:
    path = Path(room.store.blobs.path(digest))
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.write_bytes(data)


@pytest.mark.parametrize("at", [1, 40, -6])
def test_a_layer_is_fetched_again(room: Room, at: int) -> None:
    layer = put_layer(room.store, tar(*FILES))
    good = room.store.blobs.read(layer.digest)
    damage(room, layer.digest, at)
    fetched: list[str] = []
    lines: list[str] = []

    def fetch(layer: Descriptor) -> None:
        if not room.store.blobs.has(layer.digest):
            fetched.append(layer.digest)
            room.store.blobs.put(good)

    snapshot = unpack(room.store, room.snapshotter, [layer], wait_blob=fetch, notice=lines.append)
    assert snapshot is not None
    assert fetched == [layer.digest]
    [line] = lines
    assert f"the store's file {room.store.blobs.path(layer.digest)} was damaged" in line
    assert "fetched again" in line


def test_a_layer_that_can_not_be_fetched_is_called_the_stores(room: Room) -> None:
    layer = put_layer(room.store, tar(*FILES))
    damage(room, layer.digest, 20)
    with pytest.raises(DamagedBlob, match="the store's file"):
        unpack(room.store, room.snapshotter, [layer])
    assert not room.store.blobs.has(layer.digest)


def test_an_image_that_is_wrong_itself_is_called_so(room: Room) -> None:
    layer = put_layer(room.store, tar(*FILES)).with_diff_id("sha256:" + "0" * 64)
    with pytest.raises(DigestMismatch):
        unpack(room.store, room.snapshotter, [layer])
    assert room.store.blobs.has(layer.digest)


def test_a_layer_is_converted_from_the_files_instead(room: Room) -> None:
    layer = put_layer(room.store, tar(*FILES))
    snapshot = unpack(room.store, room.snapshotter, [layer])
    damage(room, layer.digest, 40)
    [made] = Layers(room.store, room.snapshotter).layers(snapshot, Compression("zstd"), force=True)
    assert room.store.blobs.has(made.digest)


def test_a_document_counts_as_missing(room: Room) -> None:
    digest = room.store.blobs.put(b'{"a": 1}')
    damage(room, digest, 3)
    with pytest.raises(FileNotFoundError):
        room.store.blobs.read(digest)
    assert not room.store.blobs.has(digest)
