"""Clients that don't keep to the protocol: each is refused by name, and nothing outside the tree is touched."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from tests.daemon.client.gomode import to_go
from tests.daemon.sessions.playing import Script

from pybuild.compiler.protos.fspackets_pb2 import Packet, Stat
from pybuild.runtime.solver.types import Cancellation
from pybuild.runtime.sources.filesync.errors import TransferFailed
from pybuild.runtime.sources.filesync.receiver import Receiver

pytestmark = pytest.mark.root

END = Packet()
FIN = Packet(type=Packet.PACKET_FIN)


def told(path: bytes, mode: int = stat.S_IFREG | 0o644, **facts: object) -> Packet:
    return Packet(stat=Stat(path=path, mode=to_go(mode), **facts))  # type: ignore[arg-type]


def folder(path: bytes) -> Packet:
    return told(path, stat.S_IFDIR | 0o755)


def link(path: bytes, target: bytes) -> Packet:
    return told(path, stat.S_IFLNK | 0o777, linkname=target)


def data(number: int, content: bytes = b"") -> Packet:
    return Packet(type=Packet.PACKET_DATA, ID=number, data=content)


CASES: dict[str, tuple[list[Packet], str]] = {
    "above the root": ([told(b"../x")], "invalid path '../x'"),
    "on the way up": ([folder(b"a"), told(b"a/../../x")], "invalid path"),
    "absolute": ([told(b"/etc/x")], "invalid path '/etc/x'"),
    "the root": ([told(b"")], "invalid path ''"),
    "unclean": ([folder(b"a"), told(b"a//b")], "invalid path"),
    "a zero": ([told(b"a\0b")], "invalid path"),
    "a long name": ([told(b"x" * 300)], "cannot write .*too long"),
    "backwards": ([told(b"b"), told(b"a")], "changes out of order: 'a' 'b'"),
    "twice": ([told(b"a"), told(b"a")], "changes out of order"),
    "in a directory that was left": (
        [folder(b"a"), folder(b"b"), told(b"a/x")],
        "parent directory of 'a/x' not found",
    ),
    "in no directory": ([told(b"a/b")], "parent directory of 'a/b' not found"),
    "in a file": ([told(b"a"), told(b"a/b")], "parent directory of 'a/b' not found"),
    "through a link": ([link(b"a", b"/etc"), told(b"a/b")], "parent directory of 'a/b' not found"),
    "no kind of file": ([Packet(stat=Stat(path=b"a", mode=1 << 31 | 1 << 27))], "no kind of file"),
    "a link to what is outside": ([told(b"a", linkname=b"../secret"), END], "invalid path"),
    "a link to what comes later": ([told(b"a", linkname=b"b"), told(b"b"), END], "invalid hardlink"),
    "a link to itself": ([told(b"a", linkname=b"a"), END], "invalid hardlink"),
    "a link to nothing": ([told(b"b", linkname=b"a"), END], "invalid hardlink"),
    "a link to a directory": ([folder(b"a"), told(b"b", linkname=b"a"), END], "invalid hardlink"),
    "a link through a link": (
        [link(b"a", b"/"), told(b"b", linkname=b"a/etc/passwd"), END],
        "invalid hardlink",
    ),
    "bytes that nobody asked for": ([told(b"a", size=3), data(7, b"one")], "invalid file request 7"),
    "bytes of a directory": ([folder(b"a"), data(0, b"one")], "invalid file request 0"),
    "bytes after the last": ([told(b"a", size=3), data(0, b"one"), data(0), data(0)], "invalid file request"),
    "the end before the bytes": ([told(b"a", size=3), END, FIN], "before it was complete"),
    "the end before the files": ([FIN], "before it was complete"),
    "silence": ([told(b"a", size=3), END], "before it was complete"),
    "nothing": ([], "before it was complete"),
    "files after the last": ([END, told(b"a")], "'a' was described after the last file"),
    "the last file twice": ([told(b"a"), END, END], "after the last file"),
    "an error": ([Packet(type=Packet.PACKET_ERR, data=b"no \xff right")], "error from sender: no . right"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_refused(tmp_path: Path, case: str) -> None:
    packets, words = CASES[case]
    (tmp_path / "secret").write_text("secret\n")
    root = tmp_path / "tree"
    root.mkdir()
    with pytest.raises(TransferFailed, match=words):
        Receiver(os.fsencode(root), lambda path, known: None).run(Script(*packets), [], Cancellation())
    assert sorted(os.listdir(tmp_path)) == ["secret", "tree"]
    assert (tmp_path / "secret").stat().st_nlink == 1


def test_a_link_that_was_there_is_not_followed(tmp_path: Path) -> None:
    """A directory takes the place of a link that an earlier transfer made, and files that of a directory."""
    root, outside = tmp_path / "tree", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "kept").write_text("kept\n")
    for packets in (
        [link(b"a", b"../outside")],
        [folder(b"a"), told(b"a/new")],
        [told(b"a")],
        [link(b"a", b"../outside")],
        [],
    ):
        receiver = Receiver(os.fsencode(root), lambda path, known: None)
        receiver.run(Script(*packets, END, FIN), [], Cancellation())
        assert os.listdir(outside) == ["kept"]
    assert os.listdir(root) == []


def test_sockets_are_left_out(tmp_path: Path) -> None:
    packets = [told(b"a", stat.S_IFSOCK | 0o755), told(b"b"), END, FIN]
    Receiver(os.fsencode(tmp_path), lambda path, known: None).run(Script(*packets), [], Cancellation())
    assert os.listdir(tmp_path) == ["b"]


def test_attributes_of_an_overlay_are_not_set(tmp_path: Path) -> None:
    attributes = {"trusted.overlay.opaque": b"y", "user.overlay.whiteout": b"y"}
    packets = [told(b"a", xattrs=attributes), END, FIN]
    Receiver(os.fsencode(tmp_path), lambda path, known: None).run(Script(*packets), [], Cancellation())
    assert os.listxattr(tmp_path / "a") == []
