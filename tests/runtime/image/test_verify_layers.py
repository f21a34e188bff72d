"""The verifier's rules about the archive of a layer: each kind of damage is found, in a layer whose digests hold."""

from __future__ import annotations

import gzip
import io
import sys
import tarfile
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybuild.runtime.verify.layers import LayerFacts, read_layer
from pybuild.runtime.verify.limits import Limits

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Entry = tuple[str, bytes, str]
"""Name, type (as tar has it), and content or target."""
FILE, LINK, SYMLINK, DIRECTORY, FIFO = (
    tarfile.REGTYPE,
    tarfile.LNKTYPE,
    tarfile.SYMTYPE,
    tarfile.DIRTYPE,
    b"6",
)


def archive(*entries: Entry, format: int = tarfile.PAX_FORMAT, **fields: object) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as tar:
        for name, kind, text in entries:
            member = tarfile.TarInfo(name)
            member.type = kind
            for field, value in fields.items():
                setattr(member, field, value)
            if kind in (LINK, SYMLINK):
                member.linkname = text
            member.size = len(text) if kind == FILE else 0
            tar.addfile(member, io.BytesIO(text.encode()) if kind == FILE else None)
    return out.getvalue()


def read(data: bytes, limits: Limits | None = None) -> LayerFacts:
    return read_layer(io.BytesIO(data), "sha256", "sha256", limits or Limits())


def problems(data: bytes, limits: Limits | None = None) -> list[str]:
    return [what for what, _, note in read(data, limits).facts if not note]


def notes(data: bytes) -> list[str]:
    return [what for what, _, note in read(data).facts if note]


D, F = ("d", DIRECTORY, ""), ("d/f", FILE, "abc")
SOUND = archive(D, F, ("d/g", LINK, "d/f"), ("d/h", SYMLINK, "/anywhere/../at/all"), ("p", FIFO, ""))


def edited(data: bytes, at: int, new: bytes, *, checksum: bool = True) -> bytes:
    """The archive with other bytes in its first header."""
    block = bytearray(data[:512])
    block[at : at + len(new)] = new
    if checksum:
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + data[512:]


def pax(records: bytes) -> bytes:
    """An archive whose first header has these records."""
    head = edited(archive(("x", FILE, "")), 156, b"x")[:512]
    head = edited(head, 124, b"%011o\0" % len(records))
    return head + records.ljust(-(-len(records) // 512) * 512, b"\0") + archive(("f", FILE, "abc"))


BAD: list[tuple[str, bytes]] = [
    ("that leads outside", archive(("../f", FILE, ""))),
    ("that leads outside", archive(D, ("d/../../f", FILE, ""))),
    ("an absolute path", archive(("/f", FILE, ""))),
    ("the hard link `g` to `../f` that leads outside", archive(("g", LINK, "../f"))),
    ("which no entry before it is", archive(("g", LINK, "f"), ("f", FILE, ""))),
    ("which no entry before it is", archive(("g", LINK, "./g"))),
    ("to a directory", archive(D, ("g", LINK, "d"))),
    ("the entry `./f` twice", archive(("f", FILE, ""), ("./f", FILE, ""))),
    ("beneath a symbolic link of its own", archive(("d", SYMLINK, "/etc"), ("d/f", FILE, ""))),
    ("beneath a symbolic link of its own", archive(("d", SYMLINK, "/etc"), ("d/e/f", FILE, ""))),
    ("beneath an entry that is no directory", archive(("d", FILE, ""), ("d/f", FILE, ""))),
    ("beneath `d`, which is no directory", archive(("d/f", FILE, ""), ("d", FILE, ""))),
    ("the symbolic link `s` to nothing", archive(("s", SYMLINK, ""))),
    ("the whiteout `.wh...` of no name", archive((".wh...", FILE, ""))),
    ("the whiteout `.wh.` of no name", archive((".wh.", FILE, ""))),
    ("of more than 4096 bytes", archive(("a/" * 2100, FILE, ""))),
    ("the root that is no directory", archive(("./.", FILE, ""))),
    ("the checksum of a header is wrong", edited(SOUND, 0, b"e", checksum=False)),
    ("the unknown type", edited(archive(("f", FILE, "abc")), 156, b"D")),
    ("the field mtime of a header is no number", edited(SOUND, 136, b"99999999999\0")),
    ("the size of", edited(SOUND, 124, b"\xff" * 12)),
    ("without the two blocks of zeros", archive(("f", FILE, "abc"))[:1024]),
    ("only one of the two blocks", archive(("f", FILE, "abc"))[:1536]),
    ("ends within `f`", archive(("f", FILE, "abc" * 1000))[:1536]),
    ("ends within a header", archive(("f", FILE, "abc"))[:1100]),
    ("data behind its end", archive(("f", FILE, "abc"))[:2048] + b"hidden"),
    ("it is empty", b""),
    ("is no tar archive", b"no archive" * 200),
    ("no valid length", pax(b"99 path=x\n")),
    ("no valid length", pax(b"path=x\n")),
    ("no valid length", pax(b"9 path=xyz\n")),
    ("has no key", pax(b"6 =xy\n")),
    ("a zero byte", pax(b"12 path=a\0b\n")),
    ("is there twice", pax(b"10 path=a\n" * 2)),
    ("is no number", pax(b"10 size=x\n")),
    ("an extended header that describes nothing", pax(b"10 path=a\n")[:1024] + bytes(1024)),
    (
        "an extended header has",
        edited(edited(archive(("x", FILE, "")), 156, b"x"), 124, b"77777777777\0"),
    ),
]


@pytest.mark.parametrize(("what", "data"), BAD, ids=range(len(BAD)))
def test_damage(what: str, data: bytes) -> None:
    found = problems(data)
    assert any(what in problem for problem in found), found


def test_a_sound_layer() -> None:
    for format in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        long = archive(("n" * 200, FILE, "abc"), ("o" * 200, SYMLINK, "t" * 200), format=format)
        assert read(long).facts == []
    assert read(SOUND).facts == []


@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("is not sorted: `a` comes after `b`", archive(("b", FILE, ""), ("a", FILE, ""))),
        ("without its parent directory", archive(F)),
        ("the directory `d/` twice", archive(D, F, D)),
        ("the whiteout `.wh.f`, which is no file", archive((".wh.f", LINK, ".wh..wh.aufs"))),
        ("in the padding", archive(("f", FILE, "abc"))[:600] + b"x" + archive(("f", FILE, "abc"))[601:]),
        ("can have no content", edited(archive(D), 124, b"00000000007\0")),
        ("of the old form", edited(archive(D), 257, bytes(8))),
        ("behind the end of a name", edited(archive(D), 50, b"x")),
    ],
)
def test_unusual_and_sound(what: str, data: bytes) -> None:
    assert any(what in note for note in notes(data)), read(data).facts
    assert problems(data) == []


def test_many_faults_of_a_kind_are_one_finding() -> None:
    (problem,) = problems(archive(*((f"/{number}", FILE, "") for number in range(50))))
    assert problem.endswith("and so 49 more")


@pytest.mark.parametrize(("pack", "kind"), [(gzip.compress, "gzip"), (zstd.compress, "zstd")])
def test_compressed_layers(pack: Callable[[bytes], bytes], kind: str) -> None:
    half = len(SOUND) // 2
    for blob in (pack(SOUND), pack(SOUND[:half]) + pack(SOUND[half:])):
        facts = read(blob)
        assert (facts.facts, facts.compression, facts.size) == ([], kind, len(blob))
        assert facts.diff_id == read(SOUND).digest
        for cut in (1, 4, len(blob) // 2):
            assert problems(blob[:-cut]), cut
    assert any("can't be read" in problem for problem in problems(pack(SOUND) + b"trailing"))


@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress])
def test_a_decompression_bomb_is_left_early(pack: Callable[[bytes], bytes]) -> None:
    blob = pack(bytes(64 << 20))
    tar = edited(archive(("f", FILE, "")), 124, b"%011o\0" % (64 << 20))[:512]
    for bomb in (blob, pack(tar + bytes(64 << 20))):
        facts = read(bomb, Limits(layer=1 << 20))
        assert facts.diff_id == ""
        assert any("longer than 1048576 bytes when it is decompressed" in what for what, _, _ in facts.facts)
        assert facts.digest == read_layer(io.BytesIO(bomb), "sha256", "sha256", Limits()).digest


def test_too_many_entries() -> None:
    data = archive(*((f"f{number:03}", FILE, "") for number in range(100)))
    assert problems(data, Limits(entries=50)) == ["has more than 50 entries"]


def test_a_layer_in_another_compression() -> None:
    import lzma

    assert any("compressed with xz" in problem for problem in problems(lzma.compress(SOUND)))


@given(st.data())
def test_no_bytes_raise(data: st.DataObject) -> None:
    """Whatever a layer's bytes are, the verifier ends with findings."""
    archive_bytes = bytearray(SOUND[:4096])
    for _ in range(data.draw(st.integers(1, 8))):
        archive_bytes[data.draw(st.integers(0, len(archive_bytes) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(archive_bytes)))
    packs: list[Callable[[bytes], bytes]] = [bytes, gzip.compress, zstd.compress]
    read(data.draw(st.sampled_from(packs))(bytes(archive_bytes[:cut])))


@given(st.binary(max_size=2000))
def test_no_binary_raises(blob: bytes) -> None:
    for start in (b"", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18"):
        read(start + blob)
