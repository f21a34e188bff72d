"""Files by HTTP: what comes, how it is laid out, what is asked again, what is refused."""

from __future__ import annotations

import gzip
import os
import time
from email.utils import formatdate
from hashlib import sha256
from pathlib import Path

import pytest
from tests.runtime.sources.remote.conftest import Child, Place, http
from tests.runtime.sources.remote.webserver import LONG_AGO, Handler, Web

from pybuild.compiler.ops import SourceOp
from pybuild.lang.diagnostics import UserError
from pybuild.runtime.sources import httptransfer
from pybuild.runtime.sources.http import HttpError


def digest(data: bytes) -> str:
    return "sha256:" + sha256(data).hexdigest()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httptransfer, "PAUSE", 0.01)


# What comes


def test_a_file_is_private_root_s_and_dated_as_the_server_says(place: Place, web: Web) -> None:
    web.files["/d/data.txt"] = b"hello"
    snapshot = place.download(http(web.url("/d/data.txt")))
    assert place.tree(snapshot) == {"data.txt": (0o100600, b"hello")}
    found = place.real(snapshot, "data.txt").stat()
    assert (found.st_uid, found.st_gid, found.st_mtime) == (0, 0, LONG_AGO)


def test_without_a_date_it_is_of_the_epoch(place: Place, web: Web) -> None:
    web.dates = False
    web.files["/a"] = b"x"
    web.files["/b"], web.headers["/b"] = b"y", {"Last-Modified": "whenever"}
    for path in ("a", "b"):
        snapshot = place.download(http(web.url("/" + path)))
        assert place.real(snapshot, path).stat().st_mtime == 0


def test_mode_owner_and_name_are_those_asked_for(place: Place, web: Web) -> None:
    web.files["/x"] = b"x"
    snapshot = place.download(http(web.url("/x"), filename="run.sh", mode=0o751, uid=7, gid=8))
    assert place.tree(snapshot) == {"run.sh": (0o100751, b"x")}
    found = place.real(snapshot, "run.sh").stat()
    assert (found.st_uid, found.st_gid) == (7, 8)


def test_an_empty_file_is_a_file(place: Place, web: Web) -> None:
    web.files["/empty"] = b""
    assert place.tree(place.download(http(web.url("/empty")))) == {"empty": (0o100600, b"")}


def test_the_server_may_name_it(place: Place, web: Web) -> None:
    web.files["/get?id=1"] = b"x"
    web.headers["/get?id=1"] = {"Content-Disposition": 'attachment; filename="a b.tar"'}
    op = http(web.url("/get?id=1"))
    assert list(place.tree(place.download(op))) == ["a b.tar"]
    assert place.http.resolve(op, place.cancellation).name == "a b.tar"
    assert list(place.again().tree(place.download(op))) == ["a b.tar"], "304 answers name no file"


def test_the_coding_of_the_way_is_undone(place: Place, web: Web) -> None:
    data = b"0123456789" * 300_000
    half = len(data) // 2
    web.files["/f"] = gzip.compress(data[:half]) + gzip.compress(data[half:])
    web.headers["/f"] = {"Content-Encoding": "gzip"}
    web.files["/f.gz"] = web.files["/f"]
    assert place.files(place.download(http(web.url("/f")))) == {"f": data}
    assert place.files(place.download(http(web.url("/f.gz")))) == {"f.gz": web.files["/f.gz"]}


def test_a_damaged_coding_is_an_error(place: Place, web: Web) -> None:
    for path, body in (("/no", b"no gzip"), ("/cut", gzip.compress(b"x" * 1000)[:-4])):
        web.files[path], web.headers[path] = body, {"Content-Encoding": "gzip"}
        with pytest.raises(HttpError, match="coding is damaged"):
            place.download(http(web.url(path)))


# What is asked again


def test_an_unchanged_file_is_not_sent_again(place: Place, web: Web) -> None:
    web.files["/f"] = b"x"
    op = http(web.url("/f"))
    first, key = place.download(op), place.http.key(op, place.cancellation)
    assert place.download(op) == first
    assert len(web.asked("/f")) == 1, "a build sees one state of an address"
    assert place.again().http.key(op, place.cancellation) == key
    assert place.download(op) == first
    assert len(web.asked("/f")) == 2
    assert web.asked("/f")[1]["if-none-match"].startswith('"')


def test_a_changed_file_is_another_one_and_the_earlier_is_known_still(place: Place, web: Web) -> None:
    op = http(web.url("/f"))
    web.files["/f"] = b"one"
    one, key = place.download(op), place.http.key(op, place.cancellation)
    web.files["/f"] = b"two"
    two = place.again().download(op)
    assert place.files(two) == {"f": b"two"}
    assert place.http.key(op, place.cancellation) != key
    web.files["/f"] = b"one"
    assert place.again().download(op) == one
    assert len(web.asked("/f")[2]["if-none-match"].split(",")) == 2


def test_a_date_alone_is_asked_about_only_if_it_tells_of_every_change(place: Place, web: Web) -> None:
    web.tags = False
    web.files["/old"] = web.files["/young"] = b"x"
    web.headers["/young"] = {"Last-Modified": formatdate(time.time() - 5, usegmt=True)}
    ops = [http(web.url("/old")), http(web.url("/young"))]
    first = [place.download(op) for op in ops]
    place.again()
    second = [place.download(op) for op in ops]
    assert "if-modified-since" in web.asked("/old")[1]
    assert "if-modified-since" not in web.asked("/young")[1]
    assert second[0] == first[0]


def test_a_server_that_ignores_the_question_need_not_send_it_all(place: Place, web: Web) -> None:
    web.files["/f"] = b"x"
    op = http(web.url("/f"))
    first = place.download(op)

    def stubborn(handler: Handler) -> bool:
        handler.answer(200, b"x", {"ETag": "W/" + f'"{sha256(b"x").hexdigest()[:16]}"'})
        return True

    web.rules.append(stubborn)
    assert place.again().download(op) == first


def test_304_without_a_tag_is_about_the_only_one(place: Place, web: Web) -> None:
    web.files["/f"] = b"x"
    op = http(web.url("/f"))
    first = place.download(op)
    web.rules.append(lambda handler: handler.answer(304, b""))
    assert place.again().download(op) == first


def test_a_snapshot_that_is_gone_is_downloaded_again(place: Place, web: Web) -> None:
    web.files["/f"] = b"x"
    op = http(web.url("/f"))
    first = place.download(op)
    place.again()
    assert list(place.snapshotter.remove([first])) == [first]
    assert place.files(place.download(op)) == {"f": b"x"}
    assert "if-none-match" not in web.asked("/f")[1]


def test_two_processes_download_once(place: Place, web: Web, tmp_path: Path) -> None:
    web.files["/f"] = b"x" * 1000
    op = http(web.url("/f"))

    def slow(handler: Handler) -> bool:
        time.sleep(0.3)
        return False

    web.rules.append(slow)
    place.close()

    def build() -> object:
        own = Place(tmp_path)
        try:
            return own.download(op), own.notices
        finally:
            own.close()

    children = [Child(build) for _ in range(2)]
    (one, first), (two, second) = (child.result() for child in children)
    place._open()
    assert one == two
    assert sum("if-none-match" not in headers for headers in web.asked("/f")) == 1
    assert any("pid" in notice for notice in (*first, *second))


# Checksums


def test_a_pinned_file_is_asked_for_when_it_is_needed(place: Place, web: Web) -> None:
    web.files["/f"] = b"x"
    op = http(web.url("/f"), checksum=digest(b"x"))
    key = place.http.key(op, place.cancellation)
    assert not web.seen
    first = place.download(op)
    assert place.files(first) == {"f": b"x"}
    assert place.again().http.key(op, place.cancellation) == key
    assert place.download(op) == first
    assert len(web.seen) == 1, "what is there needs no question"


def test_a_pinned_file_says_nothing_of_what_is_there_today(place: Place, web: Web) -> None:
    web.files["/f"] = b"x"
    pinned, free = http(web.url("/f"), checksum=digest(b"x")), http(web.url("/f"))
    place.download(pinned)
    web.files["/f"] = b"y"
    place.again()
    assert place.files(place.download(pinned)) == {"f": b"x"}
    assert place.files(place.download(free)) == {"f": b"y"}
    assert place.files(place.download(pinned)) == {"f": b"x"}


def test_another_file_than_the_pinned_one_is_refused(place: Place, web: Web) -> None:
    web.files["/f"] = b"y"
    op = http(web.url("/f"), checksum=digest(b"x"))
    with pytest.raises(HttpError) as raised:
        place.download(op)
    assert str(raised.value) == f"digest mismatch {digest(b'y')}: {digest(b'x')}"
    assert not [name for name in os.listdir(place.store.work) if name.endswith(".download")]
    web.files["/f"] = b"x"
    assert place.files(place.download(op)) == {"f": b"x"}


@pytest.mark.parametrize("checksum", ["sha256:abc", "sha512:" + "0" * 128, "md5:" + "0" * 32, "x"])
def test_checksums_of_other_kinds_are_refused(place: Place, checksum: str) -> None:
    op = SourceOp("http://example.com/f", {"http.checksum": checksum})
    with pytest.raises(UserError, match="invalid checksum"):
        place.http.key(op, place.cancellation)
