"""The reader and unpacker against tarfile and GNU tar, and against archives that mean harm."""

from __future__ import annotations

import contextlib
import io
import os
import random
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.runtime.image.room import describe, walk_changes

from pybuild.lang.diagnostics import UserError
from pybuild.runtime.image.decompression import ArchiveError, open_decompressed, pull_decompressed
from pybuild.runtime.image.extract import Extracted, ExtractError, clean, extract
from pybuild.runtime.image.tarreader import TarReader, is_archive
from pybuild.runtime.image.tarwriter import header, write_layer

ROOT = os.geteuid() == 0


def unpack(data: bytes, root: Path, *, piece: int = 1 << 18) -> Extracted:
    stream = io.BytesIO(data)
    return extract(lambda: stream.read(piece), os.fsencode(root), owners=ROOT)


def archive(*entries: tuple[bytes, bytes, bytes]) -> bytes:
    """An archive of (kind, name, link target or content)."""
    out = []
    for kind, name, rest in entries:
        content = rest if kind == b"0" else b""
        out.append(
            header(
                name,
                kind,
                0o755 if kind == b"5" else 0o644,
                os.geteuid(),
                os.getegid(),
                len(content),
                1000,
                b"" if kind == b"0" else rest,
            )
        )
        out.append(content + bytes(-len(content) % 512))
    return b"".join(out) + bytes(1024)


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """A directory to unpack into, beside something that must not be touched."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "canary").write_text("alive")
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def untouched(inside: Path) -> bool:
    outside = inside.parent
    names = sorted(os.listdir(outside)), sorted(os.listdir(outside / "outside"))
    return (
        names == (["in", "outside"], ["canary"]) and (outside / "outside" / "canary").read_text() == "alive"
    )


def build_tree(root: Path) -> None:
    root.mkdir()
    (root / "dir" / "sub").mkdir(parents=True)
    (root / "dir" / "file").write_bytes(random.Random(1).randbytes(700_001))
    (root / "dir" / "empty").touch()
    (root / ("long" * 40)).mkdir()
    (root / ("long" * 40) / ("name" * 50)).write_text("long")
    os.symlink("../dir/file", root / "dir" / "sub" / "link")
    os.symlink("/" + "far" * 80, root / "dangling")
    os.link(root / "dir" / "file", root / "hard")
    os.mkfifo(root / "pipe")
    os.chmod(root / "dir" / "file", 0o4755)
    os.chmod(root / "dir" / "sub", 0o1777)
    for path in [*root.rglob("*")]:
        os.utime(path, (1_500_000_000, 1_500_000_000), follow_symlinks=False)


def test_what_the_writer_wrote(tmp_path: Path) -> None:
    build_tree(tmp_path / "a")
    (tmp_path / "b").mkdir()
    out: list[bytes] = []
    write_layer(walk_changes(os.fsencode(tmp_path / "a")), out.append)
    for piece in (1 << 18, 777):
        done = unpack(b"".join(out), tmp_path / "b", piece=piece)
        assert done.skipped == []
        assert describe(tmp_path / "a") == describe(tmp_path / "b")


@pytest.mark.root
def test_owners_devices_and_capabilities(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "f").write_text("x")
    os.mknod(tmp_path / "a" / "null", 0o020666, os.makedev(1, 3))
    os.mknod(tmp_path / "a" / "disk", 0o060600, os.makedev(259, 70_000))
    os.symlink("f", tmp_path / "a" / "l")
    for name in ("f", "null", "l"):
        os.chown(tmp_path / "a" / name, 2**31 + 7, 100_000, follow_symlinks=False)
    os.chmod(tmp_path / "a" / "f", 0o6711)
    os.setxattr(tmp_path / "a" / "f", "security.capability", b"\1\0\0\2\0\4\0\0" + bytes(12))
    out: list[bytes] = []
    write_layer(walk_changes(os.fsencode(tmp_path / "a")), out.append)
    unpack(b"".join(out), tmp_path / "b")
    assert describe(tmp_path / "a") == describe(tmp_path / "b")


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_what_tarfile_wrote(tmp_path: Path, form: int) -> None:
    build_tree(tmp_path / "a")
    if form == tarfile.USTAR_FORMAT:
        os.unlink(tmp_path / "a" / "dangling")
        os.unlink(tmp_path / "a" / ("long" * 40) / ("name" * 50))
        os.rmdir(tmp_path / "a" / ("long" * 40))
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        tar.add(tmp_path / "a", ".")
    (tmp_path / "b").mkdir()
    unpack(out.getvalue(), tmp_path / "b")
    assert describe(tmp_path / "a") == describe(tmp_path / "b")


@pytest.mark.parametrize("form", ["v7", "oldgnu", "gnu", "ustar", "posix"])
def test_what_gnu_tar_wrote(tmp_path: Path, form: str) -> None:
    build_tree(tmp_path / "a")
    if form in ("v7", "ustar"):
        os.unlink(tmp_path / "a" / "dangling")
        os.unlink(tmp_path / "a" / ("long" * 40) / ("name" * 50))
        os.rmdir(tmp_path / "a" / ("long" * 40))
        if form == "v7":
            os.unlink(tmp_path / "a" / "pipe")
    os.utime(tmp_path / "a", (1, 1))
    run = subprocess.run(["tar", "-c", f"--format={form}", "-C", "a", "."], cwd=tmp_path, capture_output=True)
    assert run.returncode == 0, run.stderr
    (tmp_path / "b").mkdir()
    unpack(run.stdout, tmp_path / "b")
    assert describe(tmp_path / "a") == describe(tmp_path / "b")


SPARSE = [
    "--format=oldgnu",
    "--format=gnu",
    *(f"--sparse-version={version}" for version in ("0.0", "0.1", "1.0")),
]


@pytest.mark.parametrize("flag", SPARSE)
def test_sparse_files(tmp_path: Path, flag: str) -> None:
    """Sixty segments and a hole at the end, in every form GNU tar knows."""
    (tmp_path / "a").mkdir()
    with open(tmp_path / "a" / "s", "wb") as file:
        for number in range(60):
            file.seek(number * 65_536)
            file.write(b"%d" % number * 1000)
        file.truncate(8 << 20)
    (tmp_path / "a" / "t").write_text("after")
    form = [] if flag.startswith("--format") else ["--format=posix"]
    run = subprocess.run(["tar", "-cS", *form, flag, "-C", "a", "."], cwd=tmp_path, capture_output=True)
    assert len(run.stdout) < 2 << 20, "tar wrote no sparse file"
    (tmp_path / "b").mkdir()
    unpack(run.stdout, tmp_path / "b")
    for name in ("s", "t"):
        assert (tmp_path / "b" / name).read_bytes() == (tmp_path / "a" / name).read_bytes()
    assert os.stat(tmp_path / "b" / "s").st_blocks * 512 < 7 << 20


def test_zeros_become_holes(inside: Path) -> None:
    unpack(archive((b"0", b"z", bytes(4 << 20) + b"end")), inside, piece=1 << 20)
    assert (inside / "z").read_bytes() == bytes(4 << 20) + b"end"
    assert os.stat(inside / "z").st_blocks * 512 < 3 << 20


def test_base_256_numbers_and_global_headers(inside: Path) -> None:
    block = bytearray(header(b"f", b"0", 0o644, os.geteuid(), os.getegid()))
    block[136:148] = b"\x80" + (8_600_000_000).to_bytes(11, "big")
    block[148:156] = b"        "
    block[148:156] = b"%06o\0 " % sum(block)
    record = b"20 comment=whatever\n"
    glob = header(b"g", b"g", size=len(record)) + record + bytes(512 - len(record))
    unpack(glob + bytes(block) + bytes(1024), inside)
    assert os.stat(inside / "f").st_mtime == 8_600_000_000


def test_later_entries_win(inside: Path) -> None:
    unpack(
        archive(
            (b"0", b"a", b"one"),
            (b"0", b"a", b"two"),
            (b"5", b"d/", b""),
            (b"0", b"d/x", b"x"),
            (b"0", b"d", b"file"),
            (b"0", b"e", b"file"),
            (b"5", b"e/", b""),
            (b"0", b"e/x", b"x"),
            (b"2", b"s", b"a"),
            (b"0", b"s", b"plain"),
        ),
        inside,
    )
    found = {path.relative_to(inside).as_posix() for path in inside.rglob("*")}
    assert found == {"a", "d", "e", "e/x", "s"}
    assert (inside / "a").read_text() == "two"
    assert (inside / "d").read_text() == "file"
    assert (inside / "s").read_text() == "plain"


def test_missing_parents_and_dots(inside: Path) -> None:
    unpack(archive((b"0", b"./a/./b//c", b"x"), (b"5", b"./", b""), (b"0", b"x/../y", b"y")), inside)
    assert (inside / "a/b/c").read_text() == "x"
    assert (inside / "y").read_text() == "y"


@pytest.mark.parametrize(
    "name", [b"../../outside/x", b"/outside/x", b"a/../../../outside/x", b"//outside//x"]
)
def test_names_stay_inside(inside: Path, name: bytes) -> None:
    unpack(archive((b"0", name, b"evil")), inside)
    assert untouched(inside)
    assert (inside / "outside" / "x").read_text() == "evil"


@pytest.mark.parametrize("target", [b"../outside", b"/", b"../../../../../../..", b"../outside/canary"])
def test_planted_symlinks_stay_inside(inside: Path, target: bytes) -> None:
    data = archive((b"2", b"l", target), (b"0", b"l/canary", b"evil"), (b"0", b"l/new/x", b"evil"))
    with contextlib.suppress(ExtractError):
        unpack(data, inside)
    assert untouched(inside)


def test_an_absolute_symlink_leads_from_the_root(inside: Path) -> None:
    unpack(archive((b"5", b"usr/bin/", b""), (b"2", b"bin", b"/usr/bin"), (b"0", b"bin/sh", b"x")), inside)
    assert (inside / "usr/bin/sh").read_text() == "x"


def test_a_symlink_replaced_by_another_after_use(inside: Path) -> None:
    """A parent found through a symlink is not remembered once that symlink changed."""
    unpack(
        archive(
            (b"5", b"a/", b""),
            (b"5", b"b/", b""),
            (b"2", b"l", b"a"),
            (b"0", b"l/one", b"1"),
            (b"2", b"l", b"b"),
            (b"0", b"l/two", b"2"),
        ),
        inside,
    )
    assert (inside / "a/one").exists()
    assert (inside / "b/two").exists()


def test_hard_links_stay_inside(inside: Path) -> None:
    for target in (b"../outside/canary", b"/outside/canary", b"l/canary"):
        with pytest.raises(ExtractError, match="not in the archive"):
            unpack(archive((b"2", b"l", b"../outside"), (b"1", b"h", target)), inside)
    assert untouched(inside)


def test_a_hard_link_to_a_symlink_is_that_symlink(inside: Path) -> None:
    unpack(archive((b"2", b"l", b"../outside/canary"), (b"1", b"h", b"l")), inside)
    assert os.readlink(inside / "h") == "../outside/canary"


def test_a_loop_of_symlinks(inside: Path) -> None:
    with pytest.raises(ExtractError, match="symbolic links"):
        unpack(archive((b"2", b"a", b"b"), (b"2", b"b", b"a"), (b"0", b"a/x", b"x")), inside)


def test_errors_name_the_entry(inside: Path) -> None:
    cases = [
        (archive((b"0", b"f", b"x"), (b"0", b"f/x", b"x")), "'f/x'.*not a directory"),
        (archive((b"1", b"h", b"missing")), "'h'.*'missing' is not in the archive"),
        (archive((b"0", b"n" * 300, b"x")), "'nnn.*too long"),
        (archive((b"5", b"d/", b""), (b"1", b"h", b"d")), "is a directory"),
        (header(b"q", b"Q") + bytes(1024), "unknown type b'Q'.*'q'"),
    ]
    for data, message in cases:
        with pytest.raises(UserError, match=message) as caught:
            unpack(data, inside)
        assert any(word == "help" for word, _ in caught.value.diagnostic.notes)


def test_overlay_marks_are_not_taken_over(inside: Path) -> None:
    attributes = {b"trusted.overlay.opaque": b"y", b"user.overlay.redirect": b"/etc"}
    data = header(b"d/", b"5", 0o755, os.geteuid(), os.getegid(), attributes=attributes) + bytes(1024)
    unpack(data, inside)
    assert os.listxattr(inside / "d") == []


def test_whiteout_names_are_names_without_a_layering(inside: Path) -> None:
    unpack(archive((b"0", b".wh.x", b"1")), inside)
    assert (inside / ".wh.x").read_text() == "1"


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"0", b"1", b"2", b"5"]),
            st.sampled_from(
                [b"a", b"b", b"a/b", b"b/a", b"a/b/c", b"../a", b"/b/..", b"a/../../b", b"outside/canary"]
            ),
            st.sampled_from(
                [b"a", b"b", b"..", b"../outside", b"/", b"a/..", b"../outside/canary", b"/b/a", b"."]
            ),
        ),
        max_size=10,
    )
)
def test_no_archive_writes_outside(
    tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[bytes, bytes, bytes]]
) -> None:
    top = tmp_path_factory.mktemp("hostile")
    (top / "outside").mkdir()
    (top / "outside" / "canary").write_text("alive")
    (top / "in").mkdir()
    try:
        unpack(archive(*entries), top / "in")
    except UserError:
        pass
    assert untouched(top / "in")


def test_damage_gives_no_other_error(tmp_path: Path) -> None:
    """Random bytes changed in archives of every form: unpacked or refused, nothing else."""
    build_tree(tmp_path / "a")
    os.unlink(tmp_path / "a" / "dir" / "file")
    os.unlink(tmp_path / "a" / "hard")
    with open(tmp_path / "a" / "s", "wb") as file:
        file.seek(200_000)
        file.write(b"x")
    forms = [
        subprocess.run(
            ["tar", "-cS", f"--format={form}", "-C", "a", "."], cwd=tmp_path, capture_output=True
        ).stdout
        for form in ("oldgnu", "posix", "gnu")
    ]
    rng = random.Random(7)
    refused = 0
    for number in range(250):
        data = bytearray(rng.choice(forms))
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(data))
            data[at] = rng.randrange(256)
            if rng.random() < 0.7:
                start = at - at % 512
                block = data[start : start + 512]
                block[148:156] = b"        "
                data[start + 148 : start + 156] = b"%06o\0 " % sum(block)
        target = tmp_path / f"out{number}"
        target.mkdir()
        try:
            unpack(bytes(data), target)
        except UserError:
            refused += 1
    assert refused > 20


def test_a_cut_archive(tmp_path: Path) -> None:
    data = archive((b"0", b"a", b"x" * 1000), (b"0", b"b" * 150, b"y"))
    for size in range(1, len(data) - 1024, 97):
        (tmp_path / str(size)).mkdir()
        whole = size in (512 + 1024,)
        if whole:
            continue
        with pytest.raises(ArchiveError, match=r"cut short|no tar archive"):
            unpack(data[:size], tmp_path / str(size))


@pytest.mark.parametrize("junk", [b"not a tar archive" * 100, os.urandom(4096), b"\1" * 512])
def test_junk(inside: Path, junk: bytes) -> None:
    with pytest.raises(ArchiveError):
        unpack(junk, inside)


def test_huge_claims_are_refused_at_once(inside: Path) -> None:
    huge = header(b"x", b"x", size=1 << 32) + bytes(1024)
    with pytest.raises(ArchiveError, match="extended header"):
        unpack(huge, inside)
    with pytest.raises(ArchiveError, match="cut short"):
        unpack(header(b"f", size=1 << 60) + bytes(1024), inside)


def test_clean() -> None:
    cases: list[tuple[bytes, list[bytes]]] = [
        (b"a/b", [b"a", b"b"]),
        (b"/", []),
        (b"", []),
        (b"./", []),
        (b"../a", [b"a"]),
        (b"a//b/", [b"a", b"b"]),
        (b"a/../..", []),
        (b"a/./b", [b"a", b"b"]),
        (b"..a/b..", [b"..a", b"b.."]),
    ]
    for name, parts in cases:
        assert clean(name) == parts


def test_entries_are_what_tarfile_reads(tmp_path: Path) -> None:
    build_tree(tmp_path / "a")
    os.utime(tmp_path / "a", (5, 5))
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.add(tmp_path / "a", "top")
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as tar:
        wanted = [(m.type, m.name, m.size, m.linkname, m.mode, m.uid, m.mtime) for m in tar]
    found = [
        (e.kind, os.fsdecode(e.name).rstrip("/"), e.size, os.fsdecode(e.link), e.mode, e.uid, e.mtime / 1e9)
        for e in TarReader(pull_decompressed(io.BytesIO(out.getvalue())))
    ]
    assert found == wanted


def compressors() -> dict[str, Callable[[bytes], bytes]]:
    import bz2
    import gzip
    import lzma
    import sys

    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return {
        "gzip": gzip.compress,
        "bzip2": bz2.compress,
        "xz": lzma.compress,
        "zstd": lambda data: zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1}),
        "none": bytes,
    }


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "zstd", "none"])
def test_compressed_streams(kind: str) -> None:
    compress = compressors()[kind]
    data = random.Random(3).randbytes(300_000) + bytes(3 << 20)
    packed = compress(data[:1_000_000]) + compress(data[1_000_000:])
    assert open_decompressed(io.BytesIO(packed)).read() == data
    assert open_decompressed(io.BytesIO(packed)).read(5) == data[:5]
    if kind != "none":
        assert open_decompressed(io.BytesIO(packed + bytes(1000))).read() == data
        with pytest.raises(ArchiveError, match="cut short"):
            open_decompressed(io.BytesIO(compress(data)[:-5])).read()
        damaged = bytearray(compress(data))
        damaged[len(damaged) // 2] ^= 0xFF
        damaged[30] ^= 0xFF
        with pytest.raises(ArchiveError):
            open_decompressed(io.BytesIO(bytes(damaged))).read()


def test_a_bomb_comes_in_small_pieces() -> None:
    import gzip

    pull = pull_decompressed(io.BytesIO(gzip.compress(bytes(200 << 20), 9)))
    sizes = [len(pull()) for _ in range(20)]
    assert max(sizes) <= 1 << 20


def test_is_archive() -> None:
    import gzip

    data = archive((b"0", b"f", b"x"))
    for good in (data, gzip.compress(data), data + b"junk"):
        assert is_archive(io.BytesIO(good))
    for bad in (b"", bytes(1024), b"text" * 1000, gzip.compress(b"text" * 1000), data[:300]):
        assert not is_archive(io.BytesIO(bad))


@pytest.mark.root
def test_one_owner_for_everything(inside: Path) -> None:
    data = archive((b"5", b"d/", b""), (b"0", b"d/f", b"x"), (b"2", b"l", b"d"), (b"1", b"h", b"d/f"))
    extract(io.BytesIO(data).read, os.fsencode(inside), owner=(77, 78))
    assert {os.lstat(path)[4:6] for path in inside.rglob("*")} == {(77, 78)}


def as_user(root: str, data: bytes) -> list[str]:
    """What is said when user 1234 unpacks `data` without owners, then with them."""
    os.setgroups([])
    os.setresgid(1234, 1234, 1234)
    os.setresuid(1234, 1234, 1234)
    done = extract(io.BytesIO(data).read, os.fsencode(root), owners=False)
    os.mkdir(os.path.join(root, "other"))
    try:
        extract(io.BytesIO(data).read, os.fsencode(os.path.join(root, "other")))
    except ExtractError as error:
        return [repr(done.skipped), str(error.diagnostic.notes)]
    return [repr(done.skipped)]


@pytest.mark.root
def test_an_ordinary_user() -> None:
    """Without `owners` everything but device nodes can be unpacked; with them the error says what to do."""
    data = header(b"f", b"0", 0o4755, 5, 6) + header(b"null", b"3", 0o666, device=(1, 3)) + bytes(1024)
    with tempfile.TemporaryDirectory() as root:
        os.chmod(root, 0o777)
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.write(write, "\n".join(as_user(root, data)).encode())
            finally:
                os._exit(0)
        os.close(write)
        with os.fdopen(read) as file:
            said = file.read()
        os.waitpid(child, 0)
        assert "device nodes" in said
        assert "user namespace" in said
        found = os.stat(os.path.join(root, "f"))
        assert (found.st_uid, found.st_mode & 0o7777) == (1234, 0o4755)


def test_an_empty_stream_is_an_empty_archive(inside: Path) -> None:
    assert unpack(b"", inside).entries == 0
