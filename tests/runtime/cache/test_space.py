"""No room on the store's file system: how it is noticed and told, and what the ballast does."""

from __future__ import annotations

import errno
import os
import sqlite3
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest

from pybuild.cli import prune
from pybuild.runtime.content import space
from pybuild.runtime.content.locks import holder, try_lock
from pybuild.runtime.content.space import NoRoom, SpaceWatch, unmasked, used_up
from pybuild.runtime.content.store import Store

EXT4 = {"f_blocks": 100_000, "f_frsize": 4096, "f_files": 1000, "f_ffree": 10, "f_favail": 10}


def state(monkeypatch: pytest.MonkeyPatch, **values: int) -> None:
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(**EXT4 | values))


@pytest.mark.parametrize(
    ("values", "user", "root"),
    [
        ({"f_bavail": 500, "f_bfree": 6000}, "", ""),
        # 5 % are root's alone, of which ext4 keeps 2 % even from root.
        ({"f_bavail": 0, "f_bfree": 5000}, "block", ""),
        ({"f_bavail": 0, "f_bfree": 2000}, "block", "block"),
        ({"f_bavail": 0, "f_bfree": 0}, "block", "block"),
        ({"f_blocks": 0, "f_bavail": 0, "f_bfree": 0}, "", ""),
        ({"f_bavail": 500, "f_bfree": 6000, "f_favail": 0}, "inode", ""),
        ({"f_bavail": 500, "f_bfree": 6000, "f_favail": 0, "f_ffree": 0}, "inode", "inode"),
        ({"f_bavail": 500, "f_bfree": 500, "f_files": 0, "f_favail": 0, "f_ffree": 0}, "", ""),
    ],
)
def test_what_is_used_up_for_whom(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, int], user: str, root: str
) -> None:
    state(monkeypatch, **values)
    assert (used_up("/"), used_up("/", root=True)) == (user, root)


def test_a_watch_remembers_and_tells_what_was_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "old").write_text("1")
    for path in (tmp_path / "d" / "old", tmp_path / "d", tmp_path):
        os.utime(path, (1, 1))
    watch = SpaceWatch(str(tmp_path), root=False)
    watch.began += 1_000_000_000
    state(monkeypatch, f_bavail=0, f_bfree=0)
    watch.look()
    state(monkeypatch, f_bavail=500, f_bfree=500)
    watch.look()
    assert watch.lacked == "block"
    assert not watch.written(os.fsencode(tmp_path))
    watch.began -= 2_000_000_000
    (tmp_path / "d" / "old").write_text("2")
    assert watch.written(os.fsencode(tmp_path))


@pytest.mark.parametrize(
    "text", ["database or disk is full", "disk I/O error", "unable to open database file"]
)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_disguises_of_the_database(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, number: int
) -> None:
    def refused(path: str, size: int) -> None:
        Path(path).touch()
        raise OSError(number, os.strerror(number))

    if "full" not in text:
        assert unmasked(sqlite3.OperationalError(text), str(tmp_path)) is None
    monkeypatch.setattr(space, "_fill", refused)
    error = unmasked(sqlite3.OperationalError(text), str(tmp_path))
    assert error is not None
    assert error.number == number
    assert (
        error.diagnostic.title
        == {
            errno.ENOSPC: f"no space left on device: {tmp_path}",
            errno.EDQUOT: f"disk quota exceeded: {tmp_path}",
            errno.EFBIG: f"file too large: {tmp_path}",
        }[number]
    )


def test_a_transaction_without_room(tmp_path: Path) -> None:
    with Store.open(str(tmp_path / "store")) as store:
        store.query("PRAGMA max_page_count=1")
        with pytest.raises(NoRoom, match="no space left"), store.transaction() as db:
            db.execute("CREATE TABLE filling AS SELECT randomblob(100000)")
        assert store.query("SELECT name FROM sqlite_master WHERE name = 'filling'") == []


def test_the_ballast_is_made_with_the_store_and_not_on_each_opening(tmp_path: Path) -> None:
    root = tmp_path / "store"
    Store.open(str(root)).close()
    status = (root / "ballast").stat()
    assert status.st_size == 4 << 20
    assert status.st_blocks * 512 >= status.st_size
    (root / "ballast").unlink()
    Store.open(str(root)).close()
    assert not (root / "ballast").exists()


def test_no_ballast_where_it_would_take_the_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(
        os, "statvfs", lambda path: SimpleNamespace(f_blocks=1 << 20, f_frsize=4096, f_bavail=2048)
    )
    space.make_ballast(str(tmp_path))
    assert os.listdir(tmp_path) == []


def test_a_lock_needs_no_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    path = str(tmp_path / "lock")
    with try_lock(path) as lock:  # type: ignore[union-attr]
        assert lock is not None
        assert try_lock(path) is None
        assert holder(path) == "another process"


def test_a_part_that_found_no_room_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = "sha256:" + sha256(b"12").hexdigest()
    with Store.open(str(tmp_path)) as store:
        with store.blobs.writer(resume=digest) as writer:
            writer.write(b"1")
        assert os.listdir(store.path("ingest")) == [digest.removeprefix("sha256:") + ".part"]

        def full(fd: int, data: bytes) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch, store.blobs.writer(resume=digest) as writer:
            assert writer.offset == 1
            patch.setattr(os, "write", full)
            with pytest.raises(OSError, match="No space left on device"):
                writer.write(b"2")
        assert os.listdir(store.path("ingest")) == []


def test_emptying_takes_the_database_first() -> None:
    names = ["work", "records-v3.sqlite-wal", "blobs", "records-v3.sqlite", "invocations"]
    assert sorted(names, key=prune._order)[:3] == [
        "invocations",
        "records-v3.sqlite",
        "records-v3.sqlite-wal",
    ]
