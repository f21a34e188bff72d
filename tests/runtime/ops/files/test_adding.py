"""ADD: archives are unpacked, other files copied."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import subprocess
import sys
import tarfile
from random import Random
from typing import Any

import pytest
from tests.runtime.ops.files.room import Room, files

from pybuild.compiler.ops import ChownOpt, Copy
from pybuild.lang.diagnostics import UserError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

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


def packed(*entries: tuple[str, bytes, str | bytes], form: int = tarfile.GNU_FORMAT, **more: Any) -> bytes:
    """An archive of entries (name, type, link target or data)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for name, kind, what in entries:
            info = tarfile.TarInfo(name)
            info.type, info.mode = kind, 0o755
            for key, value in more.items():
                setattr(info, key, value)
            if isinstance(what, str):
                info.linkname = what
            else:
                info.size = len(what)
            tar.addfile(info, io.BytesIO(what) if isinstance(what, bytes) else None)
    return out.getvalue()


def added(room: Room, data: bytes, dest: str = "/to/", base: Any = None) -> Any:
    return room.do(Copy("/x", dest, **DOCKER), base, room.state(files({"x": data})))


FILE, DIRECTORY, LINK, SYMLINK = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE


def with_sum(data: bytes) -> bytes:
    return zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1})


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, with_sum])
def test_damage_after_the_first_entry_is_an_error(room: Room, pack: Any) -> None:
    data = pack(packed(("a", FILE, b"1"), ("b", FILE, Random(1).randbytes(2_000_000))))
    assert room.paths(added(room, data)) == {"to", "to/a", "to/b"}
    with pytest.raises(UserError, match=r"^x is (cut short|damaged)"):
        added(room, data[: len(data) // 2])
    broken = bytearray(data)
    for at in range(len(data) // 2, len(data) // 2 + 64):
        broken[at] ^= 0x5A
    # A decoder led astray may also come to the end before it notices.
    with pytest.raises(UserError, match=r"^x is (cut short|damaged)"):
        added(room, bytes(broken))


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress, gzip.compress])
def test_compressed_data_that_is_no_archive_stays_as_it_is(room: Room, pack: Any) -> None:
    data = pack(b"text" * 1000)
    assert room.seen(added(room, data))["to/x"].content == data


@pytest.mark.parametrize(
    "entries",
    [
        [("../out", FILE, b"1")],
        [("/../out", FILE, b"1")],
        [("d/../../out", FILE, b"1")],
        [("up", SYMLINK, "../.."), ("up/out", FILE, b"1")],
        [("f", FILE, b"1"), ("h", LINK, "../out")],
        [("up", SYMLINK, "../../there"), ("up", DIRECTORY, b"")],
    ],
)
def test_an_archive_does_not_leave_its_directory(room: Room, entries: Any) -> None:
    for base in (None, room.state(files({"a": b""}))):
        with pytest.raises(UserError, match=r"^cannot unpack '.*(out|up/?|h)' of x: "):
            added(room, packed(*entries), "/to/deep/", base)


def test_links_lead_inside_the_directory(room: Room) -> None:
    entries: Any = [
        ("/abs", FILE, b"1"),
        ("ln", SYMLINK, "/real"),
        ("ln/in", FILE, b"2"),
        ("d/here", SYMLINK, "../e"),
        ("d/here/in", FILE, b"3"),
        ("dir", SYMLINK, "e"),
        ("dir", DIRECTORY, b""),
        ("out", SYMLINK, "../../../nowhere"),
        ("hard", LINK, "abs"),
    ]
    for base in (None, room.state(files({"to/e/": 0o700}))):
        out = added(room, packed(*entries), base=base)
        got = room.seen(out)
        assert set(got) == {".", "to"} | {
            f"to/{path}"
            for path in ("abs", "ln", "real", "real/in", "d", "d/here", "e", "e/in", "dir", "out", "hard")
        }
        assert (got["to/dir"].mode[0], got["to/e"].mode, got["to/out"].content) == (
            "l",
            "drwxr-xr-x",
            b"../../../nowhere",
        )
        assert room.links(out) == {frozenset({"to/abs", "to/hard"})}


def test_names_that_mean_something_in_a_layer_mean_nothing_here(room: Room) -> None:
    base = room.state(files({"to/kept": b"", "to/d/kept": b""}))
    data = packed((".wh.kept", FILE, b""), ("d/.wh..wh..opq", FILE, b""), ("d/new", FILE, b""))
    want = {"to/.wh.kept", "to/d", "to/d/.wh..wh..opq", "to/d/new"}
    assert room.paths(added(room, data, base=base)) == {"to", "to/kept", "to/d/kept", *want}
    assert room.paths(added(room, data)) == {"to", *want}


def test_devices_pipes_and_the_device_that_is_a_whiteout(room: Room) -> None:
    base = room.state(files({"to/null": b"", "to/gone": b""}))
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, kind, major, minor in (
            ("null", tarfile.CHRTYPE, 1, 3),
            ("disk", tarfile.BLKTYPE, 7, 9),
            ("pipe", tarfile.FIFOTYPE, 0, 0),
            ("none", tarfile.CHRTYPE, 0, 0),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.devmajor, info.devminor, info.mode = kind, major, minor, 0o620
            tar.addfile(info)
    for on in (None, base):
        got = room.seen(added(room, out.getvalue(), base=on))
        assert (got["to/null"].mode, got["to/null"].device) == ("crw--w----", os.makedev(1, 3))
        assert (got["to/disk"].mode, got["to/disk"].device) == ("brw--w----", os.makedev(7, 9))
        assert got["to/pipe"].mode == "prw--w----"
        assert "to/none" not in got
        assert ("to/gone" in got) == (on is base)


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_large_numbers_and_odd_times(room: Room, form: int) -> None:
    deep = "/".join(["n" * 90] * 4)
    data = packed(
        (deep + "/\u00fc", FILE, b"1"), ("ln", SYMLINK, "t" * 300), form=form, uid=3_000_000, gid=5, mtime=-5
    )
    got = room.seen(added(room, data))
    assert (got[f"to/{deep}/\u00fc"].owner, got[f"to/{deep}/\u00fc"].mtime) == ((3_000_000, 5), 0)
    assert got["to/ln"].content == b"t" * 300
    assert got["to/" + "n" * 90].owner == (0, 0)


def test_sparse_files_and_attributes(room: Room, tmp_path: Any) -> None:
    place = tmp_path / "sparse"
    with open(place, "wb") as file:
        file.write(b"start")
        file.seek(8 << 20)
        file.write(b"end")
    os.setxattr(place, "user.note", b"hi")
    for form in ("gnu", "pax"):
        target = tmp_path / f"{form}.tar"
        flags = ["--xattrs", "--xattrs-include=user.*"] if form == "pax" else []
        command = [
            "tar",
            "--sparse",
            f"--format={form}",
            *flags,
            "-C",
            str(tmp_path),
            "-cf",
            str(target),
            "sparse",
        ]
        subprocess.run(command, check=True)
        out = added(room, target.read_bytes())
        seen = room.seen(out)["to/sparse"]
        assert seen.content == place.read_bytes()
        assert seen.attributes == ((("user.note", b"hi"),) if form == "pax" else ())
        with room.snapshotter.mount(out.id) as root:
            assert os.stat(root + b"/to/sparse").st_blocks * 512 < 1 << 20


def test_unpacked_over_nothing_it_merges_with_any_base(overlay_room: Room) -> None:
    room = overlay_room
    layer = added(room, packed(("d", DIRECTORY, b""), ("d/new", FILE, b"")))
    assert layer.id is not None
    base = room.state(files({"to/d/old": b""}))
    before = os.listdir(room.store.path("snapshots"))
    state = room.snapshotter.stack(base.id, layer.id)
    assert os.listdir(room.store.path("snapshots")) == before
    assert {node.path for node in room.snapshotter.tree(state).walk(b"")} == {
        b"to", b"to/d", b"to/d/old", b"to/d/new"
    }  # fmt: skip
