"""The layer writer against Python's tarfile and GNU tar as the slow models."""

from __future__ import annotations

import io
import os
import socket
import struct
import subprocess
import tarfile
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.runtime.image.room import walk_changes

from pybuild.runtime.image.tarwriter import LayerReadError, header, write_layer
from pybuild.runtime.snapshots.types import Change, Node


def added(path: bytes, real: bytes, status: os.stat_result) -> Change:
    return Change("add", path, Node(path, real, status))


def layer(root: Path | bytes, **options: object) -> bytes:
    out: list[bytes] = []
    write_layer(walk_changes(os.fsencode(root)), out.append, **options)  # type: ignore[arg-type]
    return b"".join(out)


def members(data: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data), errors="surrogateescape") as archive:
        return archive.getmembers()


def fake_stat(mode: int, **fields: int) -> os.stat_result:
    names = {
        "st_mode": mode,
        "st_ino": 1,
        "st_dev": 1,
        "st_nlink": 1,
        "st_mtime_ns": 0,
        "st_rdev": 0,
        **fields,
    }
    base = [names.get(name, 0) for name in ("st_mode", "st_ino", "st_dev", "st_nlink", "st_uid", "st_gid")]
    size = names.get("st_size", 0)
    extra = {"st_mtime_ns": names["st_mtime_ns"], "st_rdev": names["st_rdev"]}
    return os.stat_result([*base, size, 0, 0, 0], extra)


def test_an_empty_layer_is_two_zero_blocks(tmp_path: Path) -> None:
    assert layer(tmp_path) == bytes(1024)


def test_a_plain_file_and_directory_are_ustar_as_containerd_writes_them(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir(mode=0o755)
    (tmp_path / "x" / "a").write_text("hi\n")
    os.chmod(tmp_path / "x" / "a", 0o644)
    for name in ("x/a", "x"):
        os.utime(tmp_path / name, ns=(0, 1577836800_123456789))
        os.chown(tmp_path / name, os.geteuid(), os.getegid())
    data = layer(tmp_path)
    assert len(data) == 512 * 5
    assert data[:100].rstrip(b"\0") == b"x/"
    assert data[100:108] == b"0000755\0"
    assert data[136:148] == b"%011o\0" % 1577836800
    assert data[156:157] == b"5"
    assert data[257:265] == b"ustar\x0000"
    assert data[265:329] == bytes(64)
    assert data[329:345] == b"0000000\x000000000\x00"
    assert data[1024:1027] == b"hi\n"
    assert data[1536:] == bytes(1024)


def test_the_bytes_equal_a_layer_made_by_buildkit() -> None:
    """Made by Docker 26's BuildKit: a directory and a file with these attributes and times."""
    blocks = [
        header(b"x/", b"5", 0o755, mtime=0o15301245531),
        header(b"x/a", b"0", 0o644, size=3, mtime=0o13602760400),
        b"hi\n".ljust(512, b"\0"),
        bytes(1024),
    ]
    diff_id = "81dae861275ec8de02c59b23c84855c932c7fbb8ab32741728302cc3fbb5fbff"
    assert sha256(b"".join(blocks)).hexdigest() == diff_id


def test_every_form_survives_tarfile(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 90) / ("e" * 90)
    deep.mkdir(parents=True)
    (deep / ("f" * 90)).write_text("deep")
    (tmp_path / "link").symlink_to("t" * 150)
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "naïve ✓").write_text("utf-8")
    with open(os.fsencode(tmp_path) + b"/raw\xff\xfe", "wb") as file:
        file.write(b"raw")
    os.link(tmp_path / "naïve ✓", tmp_path / "second")
    found = {member.name: member for member in members(layer(tmp_path))}
    assert found[f"{'d' * 90}/{'e' * 90}/{'f' * 90}"].size == 4
    assert found["link"].linkname == "t" * 150
    assert found["pipe"].isfifo()
    assert found["naïve ✓"].isreg()
    assert found["second"].islnk()
    assert found["second"].linkname == "naïve ✓"
    assert os.fsdecode(b"raw\xff\xfe") in found


def test_sockets_and_the_root_are_left_out(tmp_path: Path) -> None:
    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("s")
    finally:
        os.chdir(here)
    root = added(b"", os.fsencode(tmp_path), os.lstat(tmp_path))
    out: list[bytes] = []
    assert write_layer([root, *walk_changes(os.fsencode(tmp_path))], out.append) == 0
    assert b"".join(out) == bytes(1024)


def test_whiteouts(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    changes = [
        added(b"d", os.fsencode(tmp_path / "d"), os.lstat(tmp_path / "d")),
        Change("delete", b"d/gone"),
        Change("delete", b"top"),
    ]
    out: list[bytes] = []
    assert write_layer(changes, out.append) == 3
    found = members(b"".join(out))
    assert [member.name for member in found] == ["d", "d/.wh.gone", ".wh.top"]
    assert all((member.mode, member.mtime, member.size) == (0, 0, 0) for member in found[1:])


def test_directories_that_only_lead_to_a_change_are_written(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "f").write_text("x")
    os.chmod(tmp_path / "a", 0o710)

    class Parents:
        def lstat(self, path: bytes) -> Node:
            real = os.fsencode(tmp_path) + b"/" + path
            return Node(path, real, os.lstat(real))

    changes = [
        added(b"a/b/f", os.fsencode(deep / "f"), os.lstat(deep / "f")),
        Change("delete", b"a/b/g"),
        Change("delete", b"a/c"),
    ]
    out: list[bytes] = []
    write_layer(changes, out.append, parents=Parents())  # type: ignore[arg-type]
    found = members(b"".join(out))
    assert [member.name for member in found] == ["a", "a/b", "a/b/f", "a/b/.wh.g", "a/.wh.c"]
    assert found[0].mode == 0o710


def test_hard_links_are_pairs_inside_the_layer(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "one").write_text("x")
    os.link(tmp_path / "in" / "one", tmp_path / "outside")
    found = members(layer(tmp_path / "in"))
    assert [member.type for member in found] == [tarfile.REGTYPE]


def test_clamped_times(tmp_path: Path) -> None:
    for name, time in (("early", 100), ("late", 2000)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time, time))
    assert [member.mtime for member in members(layer(tmp_path, clamp=1000))] == [100, 1000]


@pytest.mark.parametrize("time", [-1, -(10**9), 8**11, 8**11 - 1, 0])
def test_times_outside_a_ustar_field(time: int) -> None:
    changes = [added(b"f", b"/dev/null", fake_stat(0o100644, st_mtime_ns=time * 10**9 + 5))]
    out: list[bytes] = []
    write_layer(changes, out.append)
    assert members(b"".join(out))[0].mtime == time


def test_big_ids_and_devices() -> None:
    state = fake_stat(0o020660, st_uid=2**32 - 2, st_gid=2**21, st_rdev=os.makedev(4095, 2**20 - 1))
    out: list[bytes] = []
    write_layer([added(b"dev", b"/dev/null", state)], out.append)
    found = members(b"".join(out))[0]
    assert (found.uid, found.gid) == (2**32 - 2, 2**21)
    assert found.ischr()
    assert (found.devmajor, found.devminor) == (4095, 2**20 - 1)


def test_a_file_over_8_gib(tmp_path: Path) -> None:
    """A sparse file of 8 GiB and a little, with data at both ends: every byte passes the sink."""
    size = 8 * 2**30 + 700
    with open(tmp_path / "big", "wb") as file:
        file.write(b"start")
        file.seek(size - 3)
        file.write(b"end")
    pieces = [0, b"", b""]

    def sink(data: bytes) -> None:
        if not pieces[0]:
            pieces[1] = data[:4096]
        pieces[0] += len(data)  # type: ignore[operator]
        pieces[2] = (pieces[2] + data)[-4096:]  # type: ignore[operator]

    write_layer(walk_changes(os.fsencode(tmp_path)), sink)
    assert pieces[0] == 3 * 512 + size + -size % 512 + 1024
    first, last = pieces[1], pieces[2]
    assert isinstance(first, bytes)
    assert isinstance(last, bytes)
    assert b"size=%d\n" % size in first
    assert first[1536:1541] == b"start"
    assert last.rstrip(b"\0").endswith(b"end")


def test_sparse_files_are_plain_bytes(tmp_path: Path) -> None:
    content = bytes(3 << 20) + b"middle" + bytes(5 << 20)
    with open(tmp_path / "s", "wb") as file:
        file.seek(3 << 20)
        file.write(b"middle")
        file.truncate(len(content))
    with tarfile.open(fileobj=io.BytesIO(layer(tmp_path))) as archive:
        file_in = archive.extractfile("s")
        assert file_in is not None
        assert file_in.read() == content


def test_attributes(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    try:
        os.setxattr(tmp_path / "f", "user.note", b"a\0=\n\xff")
    except OSError:
        pytest.skip("no user attributes here")
    os.setxattr(tmp_path / "f", "user.overlay.opaque", b"y")
    [found] = members(layer(tmp_path))
    assert found.pax_headers == {"SCHILY.xattr.user.note": os.fsdecode(b"a\0=\n\xff")}


@pytest.mark.root
def test_file_capabilities(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    capability = struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0)
    os.setxattr(tmp_path / "f", "security.capability", capability)
    assert b"SCHILY.xattr.security.capability=" + capability in layer(tmp_path)


def test_gnu_tar_finds_no_difference(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "a" / ("n" * 120)).mkdir(parents=True)
    (tree / "a" / ("n" * 120) / "f").write_bytes(os.urandom(70_000))
    os.symlink("f", tree / "a" / ("n" * 120) / "l")
    os.link(tree / "a" / ("n" * 120) / "f", tree / "zz")
    for path in [tree / "zz", *tree.rglob("*")]:
        os.utime(path, (1_600_000_000, 1_600_000_000), follow_symlinks=False)
    (tmp_path / "l.tar").write_bytes(layer(tree))
    run = subprocess.run(["tar", "-df", "l.tar", "-C", "tree"], cwd=tmp_path, capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_a_file_that_shrank_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("12345")
    changes = list(walk_changes(os.fsencode(tmp_path)))
    (tmp_path / "f").write_text("1")
    with pytest.raises(LayerReadError, match="ended 4 bytes early"):
        write_layer(changes, lambda data: None)


def test_a_file_that_vanished_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("12345")
    changes = list(walk_changes(os.fsencode(tmp_path)))
    (tmp_path / "f").unlink()
    with pytest.raises(LayerReadError, match="No such file"):
        write_layer(changes, lambda data: None)


names = st.lists(
    st.binary(min_size=1, max_size=120).filter(lambda part: not set(part) & {0, 47}), min_size=1, max_size=4
).map(b"/".join)


@settings(max_examples=80)
@given(
    name=names,
    link=st.binary(min_size=1, max_size=300).filter(lambda text: 0 not in text),
    uid=st.integers(0, 2**32 - 2),
    mtime=st.integers(-(2**40), 2**40),
    mode=st.integers(0, 0o7777),
    attributes=st.dictionaries(
        st.binary(min_size=1, max_size=30).filter(lambda key: not set(key) & {0, 10, 61}),
        st.binary(max_size=60),
    ),
)
def test_any_header_reads_back(
    name: bytes, link: bytes, uid: int, mtime: int, mode: int, attributes: dict[bytes, bytes]
) -> None:
    data = header(name, b"2", mode, uid, 7, 0, mtime, link, None, attributes)
    assert len(data) % 512 == 0
    with tarfile.open(fileobj=io.BytesIO(data + bytes(1024)), errors="surrogateescape") as archive:
        [found] = archive.getmembers()
    assert os.fsencode(found.name) == name.rstrip(b"/")
    assert os.fsencode(found.linkname) == link
    assert (found.uid, found.gid, found.mtime, found.mode) == (uid, 7, mtime, mode)
    prefix = "SCHILY.xattr."
    kept = {key[len(prefix) :]: value for key, value in found.pax_headers.items() if key.startswith(prefix)}
    assert {os.fsencode(k): os.fsencode(v) for k, v in kept.items()} == attributes
