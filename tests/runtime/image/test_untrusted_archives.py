"""Small archives that would cost much: memory and time stay in proportion to what they make."""

from __future__ import annotations

import io
import os
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.runtime.image.room import Room

from pybuild.runtime.image.decompression import ArchiveError
from pybuild.runtime.image.extract import ExtractError, extract
from pybuild.runtime.image.layering import layering
from pybuild.runtime.image.tarreader import TarReader
from pybuild.runtime.image.tarwriter import header
from pybuild.runtime.image.unarchive import unarchive
from pybuild.runtime.snapshots.removal import remove_tree

END = bytes(1024)


def member(name: bytes, kind: bytes, data: bytes = b"", mode: int = 0o644) -> bytes:
    block = header(name, kind, mode, os.geteuid(), os.getegid(), len(data))
    return block + data + bytes(-len(data) % 512)


def record(key: bytes, value: bytes) -> bytes:
    size = len(key) + len(value) + 3
    while len(b"%d" % size) + len(key) + len(value) + 3 != size:
        size = len(b"%d" % size) + len(key) + len(value) + 3
    return b"%d %b=%b\n" % (size, key, value)


def peak(act: Callable[[], object]) -> int:
    """The most bytes of memory in use while `act` runs, beyond those before it."""
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def read(parts: Callable[[], object]) -> list[bytes]:
    """The names in an archive that comes in parts."""
    pieces = iter(parts())  # type: ignore[call-overload]
    return [entry.name for entry in TarReader(lambda: next(pieces, b""))]


def test_global_headers_keep_what_is_applied() -> None:
    def parts() -> object:
        for number in range(30):
            records = b"".join(record(b"k%d.%d" % (number, n), b"v" * 1000) for n in range(200))
            yield member(b"g", b"g", records)
        yield member(b"f", b"0") + END

    assert peak(lambda: read(parts)) < 3 << 20


def test_global_headers_have_a_bound() -> None:
    records = b"".join(record(b"SCHILY.xattr.user.%d" % n, b"v" * 1000) for n in range(100))
    with pytest.raises(ArchiveError, match="has global headers of"):
        read(lambda: [member(b"g", b"g", records), END])


def test_records_that_are_not_applied_are_not_kept() -> None:
    records = b"5 a=\n" * 30_000
    assert peak(lambda: read(lambda: [member(b"x", b"x", records), member(b"f", b"0"), END])) < 1 << 20


@pytest.mark.parametrize("kind", [b"x", b"g", b"L", b"K"])
def test_an_extended_header_has_a_bound(kind: bytes) -> None:
    with pytest.raises(ArchiveError, match="extended header"):
        read(lambda: [member(b"x", kind, bytes(2 << 20)), END])


def test_a_sparse_map_has_a_bound() -> None:
    def parts() -> object:
        first = bytearray(header(b"s", b"S"))
        first[482] = 1
        first[148:156] = b"        "
        first[148:156] = b"%06o\0 " % sum(first)
        yield bytes(first)
        block = b"00000000000\0" * 42 + b"\1" + bytes(7)
        while True:
            yield block * 64

    def refused() -> None:
        with pytest.raises(ArchiveError, match="sparse map"):
            read(parts)

    assert peak(refused) < 20 << 20


@pytest.mark.parametrize("size", [1 << 63, 10**23])
def test_sizes_that_no_file_has(tmp_path: Path, size: int) -> None:
    records = record(b"GNU.sparse.map", b"0,0") + record(b"GNU.sparse.size", b"%d" % size)
    data = member(b"x", b"x", records) + member(b"f", b"0") + END
    with pytest.raises(ArchiveError, match="sparse"):
        extract(io.BytesIO(data).read, os.fsencode(tmp_path))
    with pytest.raises(ArchiveError, match="bytes"):
        read(lambda: [member(b"x", b"x", record(b"size", b"%d" % size)), member(b"f", b"0"), END])


def test_names_of_directories_are_not_kept(tmp_path: Path) -> None:
    def parts() -> object:
        for number in range(30):
            yield member(b"L", b"L", b"./" * 250_000 + b"d%d\0" % number) + member(b"d", b"5", mode=0o755)
        yield END

    pieces = iter(parts())  # type: ignore[call-overload]
    used = peak(lambda: extract(lambda: next(pieces, b""), os.fsencode(tmp_path), owners=False))
    assert len(os.listdir(tmp_path)) == 30
    assert used < 9 << 20


def deep(levels: int) -> bytes:
    name = b"a/" * levels + b"f"
    return member(b"L", b"L", name + b"\0") + member(b"f", b"0", b"deep") + END


def seconds(act: Callable[[int], object], levels: int) -> float:
    start = time.process_time()
    act(levels)
    return time.process_time() - start


def assert_linear(act: Callable[[int], object], levels: int) -> None:
    """Twice the depth costs at most two and a half times the time. Other work on the machine only ever adds: the
    best of a few tries counts."""
    once = twice = 1e9
    for _ in range(6):
        once, twice = min(once, seconds(act, levels)), min(twice, seconds(act, 2 * levels))
        if twice < 2.5 * once + 0.02:
            return
    raise AssertionError(f"{levels} levels take {once:.3f} s, {2 * levels} take {twice:.3f} s")


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """A store of which no path is too long for pytest to remove at the end."""
    room = Room(tmp_path / "store")
    yield room
    room.close()
    for name in os.listdir(tmp_path / "store" / "snapshots"):
        remove_tree(os.fsencode(tmp_path / "store" / "snapshots" / name))


def test_a_deep_path_costs_its_length(room: Room) -> None:
    base = room.snapshot(None, {"a/a/x": "x"})

    def layer(levels: int) -> None:
        active = room.snapshotter.prepare(base)
        try:
            above = layering(room.snapshotter, active)
            extract(io.BytesIO(deep(levels)).read, active.upper, layering=above, owners=False)
        finally:
            active.abort()

    assert_linear(layer, 400)


def test_a_deep_path_in_a_deep_parent_costs_its_length(room: Room) -> None:
    def layer(levels: int) -> None:
        base = room.snapshotter.prepare(None)
        active = base
        try:
            extract(io.BytesIO(deep(levels)).read, base.upper, owners=False)
            active = room.snapshotter.prepare(base.commit())
            above = layering(room.snapshotter, active)
            extract(io.BytesIO(deep(levels)).read, active.upper, layering=above, owners=False)
        finally:
            active.abort()

    assert_linear(layer, 150)


def test_a_deep_archive_is_unpacked(tmp_path: Path) -> None:
    root = os.fsencode(tmp_path)
    try:
        unarchive(io.BytesIO(deep(1500)).read, root, archive="deep.tar")
        assert os.listdir(tmp_path / ("a/" * 1500)) == ["f"]
        with pytest.raises(ExtractError, match="too long"):
            unarchive(io.BytesIO(deep(2100)).read, root, archive="deep.tar")
    finally:
        remove_tree(root + b"/a")  # pytest can't remove a tree that deep
