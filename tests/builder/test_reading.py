"""Files of results: read inside their root, whatever lies there."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from tests.builder.place import Place

from pybuild.builder import Builder, Entry, Result, StateGone
from pybuild.builder.process import Worker
from pybuild.cli.prune import prune
from pybuild.lang.diagnostics import UserError

pytestmark = [pytest.mark.root, pytest.mark.crun]

PROGRAM = """
target tree:
    from BASE
    run:
        mkdir -p /top/sub; echo file > /top/file; echo secret > /top/sub/secret
        chmod 640 /top/file; chown 12:34 /top/file; chmod 000 /top/sub/secret
        ln -s file /top/link; ln -s ../../../../../etc/passwd /top/out; ln -s loop /top/loop
        ln -s /top/sub /top/dir; mkfifo /top/fifo; head -c 3000000 /dev/zero > /top/big
        rm /etc/group

target nothing:
    from scratch
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, base: Path, store: Path) -> Result:
    place = Place(tmp_path_factory.mktemp("reading"), base, store).write(PROGRAM)
    return place.builder().build("tree")


def test_contents(made: Result) -> None:
    assert made.read_file("/top/file") == b"file\n"
    assert made.read_text("top/link") == "file\n"
    assert made.read_file("/top/dir/secret") == b"secret\n"
    assert made.read_file("/top/big") == bytes(3_000_000)


def test_links_lead_inside(made: Result) -> None:
    own = made.read_file("/etc/passwd")
    assert own != Path("/etc/passwd").read_bytes()
    assert made.read_file("/top/out") == own
    assert made.read_file("/../../../etc/passwd") == own


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/nosuch", FileNotFoundError),
        ("/etc/group", FileNotFoundError),
        ("/top", IsADirectoryError),
        ("/top/file/x", FileNotFoundError),
        ("/top/fifo", OSError),
        ("/top/loop", UserError),
    ],
)
def test_what_cannot_be_read(made: Result, path: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        made.read_file(path)
    assert made.read_file("/top/file") == b"file\n"


def test_walking(made: Result) -> None:
    found = {entry.path: entry for entry in made.walk("/top")}
    assert list(found) == sorted(found)
    assert {path: entry.kind for path, entry in found.items()} == {
        "/top/big": "file",
        "/top/dir": "symlink",
        "/top/fifo": "fifo",
        "/top/file": "file",
        "/top/link": "symlink",
        "/top/loop": "symlink",
        "/top/out": "symlink",
        "/top/sub": "directory",
        "/top/sub/secret": "file",
    }
    file = found["/top/file"]
    assert file == Entry("/top/file", "file", 0o640, 12, 34, 5, "", file.mtime)
    assert found["/top/out"].link == "../../../../../etc/passwd"
    assert [entry.path for entry in made.walk("/top/dir")] == ["/top/sub/secret"]
    assert "/etc/group" not in {entry.path for entry in made.walk()}
    with pytest.raises(NotADirectoryError):
        made.walk("/top/file")
    with pytest.raises(FileNotFoundError):
        made.walk("/nosuch")


def test_the_empty_file_system(place: Place, builder: Builder) -> None:
    place.write(PROGRAM)
    result = builder.build("nothing")
    assert list(result.walk()) == []
    with pytest.raises(FileNotFoundError):
        result.read_file("/etc/passwd")


def test_another_reader_takes_the_place_of_one_that_died(place: Place, builder: Builder) -> None:
    place.write(PROGRAM)
    result = builder.build("tree")
    assert result.read_file("/top/file") == b"file\n"
    worker = builder._reader._worker
    assert isinstance(worker, Worker)
    worker._process.send_signal(signal.SIGKILL)
    worker._process.wait()
    assert result.read_file("/top/file") == b"file\n"
    assert builder._reader._worker is not worker


def test_a_store_that_was_emptied(place: Place, tmp_path: Path) -> None:
    place.write(PROGRAM)
    store = tmp_path / "own"
    with place.builder(root=store) as builder:
        result = builder.build("tree")
        child = os.fork()  # entering namespaces is not for this process
        if child == 0:
            try:
                prune(str(store))
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        with pytest.raises(StateGone):
            result.read_file("/top/file")
        assert builder.build("tree").read_file("/top/file") == b"file\n"
