"""The stat cache, and files that change between builds and during one."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.runtime.sources.local.conftest import Open

from pybuild.runtime.snapshots.types import Node
from pybuild.runtime.sources import reading, statcache
from pybuild.runtime.sources.local import LocalTree
from pybuild.runtime.sources.reading import ContextError


@contextmanager
def counting(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """The files opened to be read."""
    opened: list[bytes] = []
    with monkeypatch.context() as patch:
        real = reading._open

        def noting(node: Node) -> int:
            opened.append(node.path)
            return real(node)

        patch.setattr(reading, "_open", noting)
        yield opened


def settle() -> None:
    time.sleep(2 * statcache.FINE_GRAIN / 1e9)


def copied(tree: LocalTree, path: bytes, tmp_path: Path) -> bytes:
    node = tree.lstat(path)
    assert node is not None
    data = tree.small(node)
    if data is not None:
        return data
    with open(tmp_path / "copied", "wb") as file:
        tree.copy(node, file.fileno())
    return (tmp_path / "copied").read_bytes()


def test_an_unchanged_tree_is_not_read_again(
    root: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        (root / f"f{number}").write_text(str(number))
    settle()
    with counting(monkeypatch) as read:
        tree = opened()
        first = tree.digest()
        assert len(read) == 20
        tree.save()
    with counting(monkeypatch) as read:
        assert opened().digest() == first
        assert read == []
    (root / "f3").write_text("three")
    with counting(monkeypatch) as read:
        assert opened().digest() != first
        assert read == [b"f3"]


def test_young_files_are_left_alone_until_a_write_would_show(
    root: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "f").write_text("1")
    changed = (root / "f").stat().st_ctime_ns
    tree = opened()
    tree.digest()
    assert time.time_ns() >= changed + statcache.FINE_GRAIN
    tree.save()
    with counting(monkeypatch) as read:
        opened().digest()
        assert read == []


def test_young_files_of_a_coarse_file_system_are_read_again(
    root: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statcache, "FINE_GRAIN", statcache.COARSE_GRAIN)
    (root / "f").write_text("1")
    tree = opened()
    tree.digest()
    tree.save()
    with counting(monkeypatch) as read:
        opened().digest()
        assert read == [b"f"]


def test_a_change_behind_a_restored_mtime_is_noticed(root: Path, opened: Open) -> None:
    path = root / "f"
    path.write_text("one")
    found = path.stat()
    settle()
    tree = opened()
    before = tree.digest()
    tree.save()
    path.write_text("two")
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert path.stat().st_mtime_ns == found.st_mtime_ns
    assert opened().digest() != before


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "other", "count"])
def test_a_damaged_cache_counts_as_empty(
    root: Path, opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    (root / "f").write_text("1")
    settle()
    tree = opened()
    before = tree.digest()
    tree.save()
    (file,) = (tmp_path / "cache").iterdir()
    data = bytearray(file.read_bytes())
    if damage == "flip":
        data[-10] ^= 1
    elif damage == "count":
        data[len(statcache.MAGIC) + 4] ^= 7
    cases = {"cut": bytes(data[:-3]), "empty": b"", "other": b"something else"}
    file.write_bytes(cases.get(damage, bytes(data)))
    with counting(monkeypatch) as read:
        tree = opened()
        assert tree.digest() == before
        assert read == [b"f"]
        tree.save()
    with counting(monkeypatch) as read:
        opened().digest()
        assert read == []


def test_two_builds_keep_each_others_entries(
    root: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "ab":
        (root / name).write_text(name)
    settle()
    one, other = opened(selected=[b"a"]), opened(selected=[b"b"])
    one.digest()
    other.digest()
    one.save()
    other.save()
    with counting(monkeypatch) as read:
        opened().digest()
        assert read == []


def test_entries_of_files_long_gone_are_dropped(
    root: Path, opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statcache, "LEAST", 2)
    for number in range(30):
        (root / f"f{number}").write_text("")
    settle()
    tree = opened()
    tree.digest()
    tree.save()
    (file,) = (tmp_path / "cache").iterdir()
    large = file.stat().st_size
    for number in range(2, 30):
        (root / f"f{number}").unlink()
    (root / "f0").write_text("new")
    settle()
    tree = opened()
    tree.digest()
    tree.save()
    assert file.stat().st_size < large / 5


def test_a_cache_that_cannot_be_written_costs_only_time(root: Path, opened: Open, tmp_path: Path) -> None:
    (root / "f").write_text("1")
    settle()
    (tmp_path / "file").write_text("")
    tree = opened(cache="file")
    tree.digest()
    tree.save()


@pytest.mark.parametrize("size", [10, reading.CHUNK + 10])
def test_a_file_that_changes_after_its_digest_stops_the_build(
    root: Path, opened: Open, tmp_path: Path, size: int
) -> None:
    path = root / "f"
    path.write_bytes(b"1" * size)
    tree = opened()
    tree.digest()
    assert copied(tree, b"f", tmp_path) == b"1" * size
    path.write_bytes(b"2" * size)
    with pytest.raises(ContextError, match="f changes while it is read"):
        copied(tree, b"f", tmp_path)
    # Touching it changes nothing.
    path.write_bytes(b"1" * size)
    os.utime(path)
    assert copied(tree, b"f", tmp_path) == b"1" * size


@pytest.mark.parametrize("size", [10, 3 * reading.CHUNK])
@pytest.mark.parametrize("change", ["longer", "shorter", "mode"])
def test_other_changes(root: Path, opened: Open, tmp_path: Path, size: int, change: str) -> None:
    path = root / "f"
    path.write_bytes(b"1" * size)
    tree = opened()
    tree.digest()
    if change == "mode":
        path.chmod(0o755)
    else:
        path.write_bytes(b"1" * (size + 1 if change == "longer" else size - 1))
    with pytest.raises(ContextError, match="f changes while it is read"):
        copied(tree, b"f", tmp_path)


@pytest.mark.parametrize("kind", ["symlink", "fifo", "directory", "gone"])
def test_a_file_that_becomes_something_else(root: Path, opened: Open, tmp_path: Path, kind: str) -> None:
    path = root / "f"
    path.write_text("1")
    tree = opened()
    tree.list(b"")
    path.unlink()
    if kind == "symlink":
        path.symlink_to("/etc/passwd")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    with pytest.raises(ContextError, match="went away" if kind == "gone" else "changes|Is a directory"):
        copied(tree, b"f", tmp_path)


def test_links_and_lists_stay_what_the_digest_saw(root: Path, opened: Open) -> None:
    (root / "l").symlink_to("a")
    (root / "d").mkdir()
    tree = opened()
    before = tree.digest()
    (root / "l").unlink()
    (root / "l").symlink_to("b")
    (root / "d" / "new").write_text("")
    link = tree.lstat(b"l")
    assert link is not None
    assert tree.readlink(link) == b"a"
    assert tree.list(b"d") == []
    assert tree.digest() == before


@pytest.mark.parametrize("times", [1, reading.TRIES])
@pytest.mark.parametrize("young", [False, True])
def test_a_write_while_a_file_is_read_has_it_read_again(
    root: Path, opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int, young: bool
) -> None:
    path, size = root / "f", 2 * reading.CHUNK + 10
    path.write_bytes(b"0" * size)
    if not young:
        settle()
    tree = opened()
    tree.list(b"")
    real, left = reading._read, [times]

    def interrupted(fd: int, count: int, node: Node) -> bytes:
        data = real(fd, count, node)
        if left[0] and os.lseek(fd, 0, os.SEEK_CUR) == reading.CHUNK:
            left[0] -= 1
            with open(path, "r+b") as file:  # as long as before, in its place
                file.write(b"%d" % (times - left[0]) * size)
        return data

    monkeypatch.setattr(reading, "_read", interrupted)
    if times == reading.TRIES:
        with pytest.raises(ContextError, match="f changes while it is read"):
            copied(tree, b"f", tmp_path)
        return
    assert copied(tree, b"f", tmp_path) == b"1" * size
    assert tree.file_digest(tree.list(b"")[0]) == sha256(b"1" * size).digest()


def rewrite(path: Path, size: int) -> None:
    """Bursts of rewriting with pauses between, until killed; never for longer than a test may take."""
    fd, end = os.open(path, os.O_WRONLY), time.monotonic() + 20
    number = 0
    while time.monotonic() < end:
        pause = time.monotonic() + 0.1
        while time.monotonic() < pause:
            number = (number + 1) % 10
            for start in range(0, size, 65536):
                os.pwrite(fd, b"%d" % number * min(65536, size - start), start)
        time.sleep(0.15)


@pytest.mark.parametrize("size", [4096, 2 * reading.CHUNK + 4096])
@pytest.mark.parametrize("asked", [False, True])
def test_a_file_that_is_rewritten_all_the_time_is_copied_as_it_was_digested(
    opened: Open, tmp_path: Path, size: int, asked: bool
) -> None:
    # In memory, where the disk doesn't slow the writer down.
    with TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else tmp_path) as directory:
        check_rewritten(Path(directory), opened, tmp_path, size, asked=asked)


def check_rewritten(root: Path, opened: Open, tmp_path: Path, size: int, *, asked: bool) -> None:
    path = root / "f"
    path.write_bytes(b"0" * size)
    child = os.fork()
    if child == 0:
        try:
            rewrite(path, size)
        finally:
            os._exit(0)
    restless = whole = 0
    try:
        for _ in range(8):
            tree = opened(root)
            try:
                if asked:
                    tree.digest()
                data = copied(tree, b"f", tmp_path)
            except ContextError as error:
                assert "changes while it is read" in str(error)  # noqa: PT017
                restless += 1
                continue
            whole += 1
            assert tree.file_digest(tree.list(b"")[0]) == sha256(data).digest()
            tree.save()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert restless + whole == 8
    assert whole


def test_directories_that_vanish(root: Path, opened: Open) -> None:
    (root / "d").mkdir()
    tree = opened()
    tree.list(b"")
    (root / "d").rmdir()
    with pytest.raises(ContextError, match="d went away"):
        tree.digest()


@pytest.mark.growth
def test_ten_thousand_files_are_quick(root: Path, opened: Open) -> None:
    for number in range(50):
        directory = root / f"d{number}"
        directory.mkdir()
        for name in range(200):
            with open(directory / f"f{name}", "wb") as file:
                file.write(b"%d" % name)
    settle()
    tree = opened()
    first = tree.digest()
    tree.save()
    best = 9.0
    for _ in range(3):
        begin = time.perf_counter()
        assert opened().digest() == first
        best = min(best, time.perf_counter() - begin)
    assert best < 0.4
