"""The times of sources: of commits, of files by HTTP, of archives."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pytest
from tests.runtime.sources.remote.conftest import Place, Repositories, git, http
from tests.runtime.sources.remote.webserver import LONG_AGO, Web, smart_git

from pybuild.lang.diagnostics import Cancelled, UserError
from pybuild.runtime.solver.types import Cancellation
from pybuild.runtime.sources.newest import newest_file


def tar(*members: tuple[str, bytes, float], format: int = tarfile.PAX_FORMAT) -> bytes:
    """An archive of (name, type, time)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as archive:
        for name, kind, mtime in members:
            info = tarfile.TarInfo(name)
            info.type, info.mtime, info.linkname = kind, mtime, "a"
            archive.addfile(info)
    return out.getvalue()


FILE, LINK, SYMLINK, DIRECTORY = tarfile.REGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE
PACKED = tar(("d", DIRECTORY, 90), ("d/a", FILE, 50.9), ("d/b", FILE, 20), ("d/l", SYMLINK, 80))


def newest(data: bytes) -> int | None:
    return newest_file(io.BytesIO(data), Cancellation())


# Archives


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_the_newest_file_counts_directories_and_symlinks_do_not(pack: type[bytes]) -> None:
    assert newest(pack(PACKED)) == 50


def test_hard_links_count_as_files() -> None:
    assert newest(tar(("a", FILE, 1), ("b", LINK, 7))) == 7


@pytest.mark.parametrize("kinds", [(), (DIRECTORY,), (DIRECTORY, SYMLINK)])
def test_an_archive_without_files_tells_nothing(kinds: Sequence[bytes]) -> None:
    assert newest(tar(*((str(number), kind, 5) for number, kind in enumerate(kinds)))) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"plain text\n",
        b"x" * 5000,
        gzip.compress(b"text", mtime=0),
        gzip.compress(PACKED, mtime=0)[:-9],
        b"\x1f\x8b\x08broken",
        PACKED[:1000],
    ],
    ids=lambda data: str(len(data)),
)
def test_what_is_no_whole_archive_tells_nothing(data: bytes) -> None:
    assert newest(data) is None


def test_times_before_1970() -> None:
    assert newest(tar(("a", FILE, -5.5))) == -6


def test_reading_can_be_cancelled() -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        newest_file(io.BytesIO(PACKED), cancellation)


# By HTTP


def test_a_file_has_the_time_that_the_server_says(place: Place, web: Web) -> None:
    web.files["/a"] = PACKED
    op = http(web.url("/a"), filename="a")
    assert place.http.time(op, place.cancellation) == LONG_AGO
    assert place.again().http.time(op, place.cancellation) == LONG_AGO  # which it confirms
    assert len(web.asked("/a")) == 2


def test_without_a_date_it_is_that_of_the_archive(place: Place, web: Web) -> None:
    web.dates = False
    web.files["/a"], web.files["/b"] = gzip.compress(PACKED), b"plain"
    assert place.http.time(http(web.url("/a")), place.cancellation) == 50
    assert place.http.time(http(web.url("/b"), filename="b"), place.cancellation) is None


def test_a_checksum_leaves_the_server_no_say(place: Place, web: Web) -> None:
    web.files["/a"], web.files["/b"] = PACKED, b"plain"
    pinned = http(web.url("/a"), filename="a", checksum="sha256:" + sha256(PACKED).hexdigest())
    assert place.http.time(pinned, place.cancellation) == 50
    plain = http(web.url("/b"), filename="b", checksum="sha256:" + sha256(b"plain").hexdigest())
    assert place.http.time(plain, place.cancellation) is None
    wrong = http(web.url("/a"), filename="w", checksum="sha256:" + "0" * 64)
    with pytest.raises(UserError, match="digest mismatch"):
        place.http.time(wrong, place.cancellation)


# Repositories


def test_a_commit_has_its_committers_time(place: Place, web: Web, tmp_path: Path) -> None:
    repositories = Repositories(tmp_path)
    work = repositories.work / "one"
    work.mkdir()
    repositories.run(work, "init", "-q", "-b", "main")
    (work / "a").write_text("a")
    repositories.run(work, "add", "-A")
    repositories.run(work, "commit", "-q", "-m", "x", "--date=1111111111 +0000")
    repositories.run(work, "tag", "-a", "-m", "t", "v1")
    commit = repositories.run(work, "rev-parse", "HEAD")
    repositories.run(repositories.root, "clone", "-q", "--bare", str(work), "one.git")
    web.rules.append(smart_git(repositories.root))
    remote = web.url("/one.git")
    for op in (git(remote), git(remote, "v1"), git(remote, commit), git(remote, "main", subdir="gone")):
        assert place.git.time(op, place.cancellation) == 1600000001
    before = len(web.seen)
    assert place.again().git.time(git(remote, commit), place.cancellation) == 1600000001
    assert len(web.seen) == before  # a commit doesn't change
    with pytest.raises(UserError, match="expected checksum to match"):
        place.git.time(git(remote, "main", checksum="abcd"), place.cancellation)
