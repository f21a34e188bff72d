"""ADD: archives are unpacked, other files copied."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
from typing import Any

import pytest
from fileops.room import Room, files

from pybuild.compiler.ops import ChownOpt, Copy
from pybuild.lang.diagnostics import UserError

pytestmark = pytest.mark.root

DOCKER: dict[str, Any] = {
    "dir_copy_contents": True,
    "create_dest_path": True,
    "follow_symlink": True,
    "allow_wildcard": True,
    "attempt_unpack": True,
}


def archive() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, kind, mode in (
            ("d", tarfile.DIRTYPE, 0o750),
            ("d/f", tarfile.REGTYPE, 0o4711),
            ("l", tarfile.SYMTYPE, 0o777),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.uid, info.gid, info.mtime, info.linkname = kind, mode, 7, 8, 99, "d/f"
            info.size = 3 if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(b"abc"))
    return out.getvalue()


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_archives_are_unpacked(room: Room, pack: object) -> None:
    make = files({"x.tar": pack(archive()), "ln": "x.tar"})  # type: ignore[operator]
    base = room.state(files({"to/d/old": b"", "to/l/": None}))
    for source in (room.state(make), room.view(make)):
        for src in ("/x.tar", "/ln"):
            got = room.seen(room.do(Copy(src, "/to", **DOCKER), base, source))
            assert set(got) == {".", "to", "to/d", "to/d/old", "to/d/f", "to/l"}
            assert got["to/d/f"][:3] == ("-rws--x--x", (7, 8), b"abc")
            assert (got["to/d"].mode, got["to/d"].mtime, got["to/l"].content) == (
                "drwxr-x---",
                99 * 10**9,
                b"d/f",
            )
        got = room.seen(
            room.do(Copy("/x.tar", "/p/q", owner=ChownOpt(3, 4), timestamp=5, **DOCKER), None, source)
        )
        assert {entry.owner for path, entry in got.items() if path != "."} == {(3, 4)}
        assert got["p/q/d/f"].mode == "-rws--x--x"


def test_what_is_no_archive_is_copied(room: Room) -> None:
    spec = {
        "empty": b"",
        "text": b"hello",
        "zeros": bytes(10240),
        "gz": gzip.compress(b"no tar"),
        "cut": b"\x1f\x8b\x08",
        "d/f": b"",
    }
    for source in (room.state(files(spec)), room.view(files(spec))):
        got = room.seen(room.do(Copy("/*", "/to/", **DOCKER), None, source))
        assert {path: entry.content for path, entry in got.items() if entry.mode[0] == "-"} == {
            **{f"to/{name}": data for name, data in spec.items() if "/" not in name},
            "to/f": b"",
        }


def test_copy_unpacks_nothing(room: Room) -> None:
    copy = Copy("/x.tar", "/to/", create_dest_path=True)
    assert room.paths(room.do(copy, None, room.state(files({"x.tar": archive()})))) == {"to", "to/x.tar"}


def test_a_damaged_archive_is_an_error(room: Room) -> None:
    cut = archive()[:1500]
    with pytest.raises(UserError):
        room.do(Copy("/x.tar", "/to/", **DOCKER), None, room.state(files({"x.tar": cut})))


def test_links_of_the_destination_are_walked_inside(room: Room) -> None:
    base = room.state(files({"to": "../../../real"}))
    got = room.paths(room.do(Copy("/x.tar", "/to", **DOCKER), base, room.state(files({"x.tar": archive()}))))
    assert got == {"to", "real", "real/d", "real/d/f", "real/l"}
    assert not os.path.lexists("/real")


def test_several_actions_around_an_archive(room: Room) -> None:
    source = room.state(files({"x.tar": archive(), "f": b"1"}))
    bodies = [
        Copy("/f", "/d/", create_dest_path=True),
        Copy("/x.tar", "/", **DOCKER),
        Copy("/f", "/d/e/", create_dest_path=True),
    ]
    assert room.paths(room.chain(bodies, None, source)) == {"d", "d/f", "d/e", "d/e/f", "l"}
