"""File ops: each action with each option. The cases' outcomes are in `files.md`."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.daemon.wire.cases import Cases, outcomes, recorded
from tests.support.daemons import Peer

from pybuild.compiler.file_actions import Actions
from pybuild.compiler.state import State, copy, mkdir, mkfile, rm, symlink

pytestmark = [pytest.mark.root, pytest.mark.crun, pytest.mark.registry]

FILE = Path(__file__).with_name("files.md")
SECOND = 10**9


Member = tuple[str, bytes | str | None, int, tuple[int, int]]
"""A member of an archive: name, content (a link's target as text, None of a directory), mode, owner."""


def _archive(*members: Member) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, content, mode, (uid, gid) in members:
            member = tarfile.TarInfo(name)
            member.mode, member.uid, member.gid = mode, uid, gid
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
            elif content is None:
                member.type = tarfile.DIRTYPE
            else:
                member.size = len(content)
            archive.addfile(member, io.BytesIO(content) if isinstance(content, bytes) else None)
    return gzip.compress(data.getvalue(), mtime=0)


def _tree(*members: Member) -> State:
    """A state of these files. An archive, as the action that makes links is younger than Docker's BuildKit."""
    archive = SCRATCH.file(mkfile("/a", _archive(*members)))
    return SCRATCH.file(copy(archive, "/a", "/", unpack=True))


SCRATCH = State.scratch()
ROOT = (0, 0)
SRC = _tree(
    ("d", None, 0o750, (3, 4)),
    ("d/sub", None, 0o755, ROOT),
    ("d/x.txt", b"x", 0o640, (7, 8)),
    ("d/y.md", b"y", 0o644, ROOT),
    ("d/sub/z.txt", b"z", 0o755, ROOT),
    ("a", b"a", 0o644, ROOT),
    ("link", "d/x.txt", 0o777, ROOT),
    ("dlink", "d", 0o777, ROOT),
    ("broken", "/nowhere", 0o777, ROOT),
    ("sticky", b"bits", 0o6711, (9, 9)),
)
DEST = _tree(
    ("out", None, 0o700, (1, 1)),
    ("out/old", b"old", 0o644, ROOT),
    ("file", b"file", 0o644, ROOT),
    ("to", "out", 0o777, ROOT),
)
PACKED = _archive(("in/one", b"1", 0o640, (5, 6)), ("two", b"2", 0o640, (5, 6)))
ARCHIVE = SCRATCH.file(mkfile("/a.tar.gz", PACKED).mkfile("/plain.tar", b"no archive"))


ACCOUNTS = SCRATCH.file(
    mkdir("/etc").mkfile("/etc/passwd", b"u:x:5:6::/:\n").mkfile("/etc/group", b"g:x:70:\n")
)


def on(start: State, actions: Actions) -> State:
    return start.file(actions)


CASES: Cases = {
    "mkfile": lambda: on(SCRATCH, mkfile("/f", b"data", mode=0o4711)),
    "mkfile owned": lambda: on(SCRATCH, mkfile("/f", b"data", owner=(12, 34))),
    "mkfile over a file": lambda: on(DEST, mkfile("/file", b"n", mode=0o600)),
    "mkfile over an owned file": lambda: on(SRC, mkfile("/d/x.txt", b"n", mode=0o600)),
    "mkfile over an owned file, owned": lambda: on(SRC, mkfile("/sticky", b"n", mode=0o600, owner=(1, 2))),
    "mkfile through a link": lambda: on(DEST, mkfile("/to/f", b"n")),
    "mkfile over a directory": lambda: on(DEST, mkfile("/out", b"n")),
    "mkfile without parent": lambda: on(SCRATCH, mkfile("/no/f", b"n")),
    "mkfile named user": lambda: on(ACCOUNTS, mkfile("/f", b"", owner="u")),
    "mkfile named user and group": lambda: on(ACCOUNTS, mkfile("/f", b"", owner="u:g")),
    "mkdir named group": lambda: on(ACCOUNTS, mkdir("/p", owner="5:g")),
    "mkdir": lambda: on(SCRATCH, mkdir("/p", mode=0o711)),
    "mkdir owned": lambda: on(SCRATCH, mkdir("/p/q", parents=True, owner=(2, 3), mode=0o700)),
    "mkdir that exists": lambda: on(DEST, mkdir("/out")),
    "mkdir that exists with parents": lambda: on(DEST, mkdir("/out", parents=True, mode=0o711)),
    "mkdir without parent": lambda: on(SCRATCH, mkdir("/p/q")),
    "mkdir over a file": lambda: on(DEST, mkdir("/file", parents=True)),
    "mkdir through a link": lambda: on(DEST, mkdir("/to/new")),
    "rm a file": lambda: on(DEST, rm("/file")),
    "rm a directory": lambda: on(DEST, rm("/out")),
    "rm a link": lambda: on(DEST, rm("/to")),
    "rm what is not there": lambda: on(DEST, rm("/nothing")),
    "rm what may not be there": lambda: on(DEST, rm("/nothing", allow_not_found=True)),
    "rm by wildcard": lambda: on(SRC, rm("/d/*.txt", wildcard=True)),
    "rm by wildcard that matches nothing": lambda: on(SRC, rm("/d/*.nothing", wildcard=True)),
    "rm a literal star": lambda: on(SRC, rm("/d/*", allow_not_found=True)),
    "rm through a link": lambda: on(SRC, rm("/dlink/x.txt")),
    "chained": lambda: on(
        SCRATCH, mkdir("/p").mkfile("/p/f", b"1").rm("/p/f").mkfile("/p/g", b"2").mkdir("/p/d")
    ),
    "copy a file": lambda: on(DEST, copy(SRC, "/a", "/b")),
    "copy a file into a directory": lambda: on(DEST, copy(SRC, "/a", "/out/")),
    "copy a file onto a directory": lambda: on(DEST, copy(SRC, "/a", "/out")),
    "copy a file over a file": lambda: on(DEST, copy(SRC, "/d/x.txt", "/file")),
    "copy keeps owner": lambda: on(SCRATCH, copy(SRC, "/d/x.txt", "/x")),
    "copy with an owner": lambda: on(SCRATCH, copy(SRC, "/d", "/d", owner=(5, 6))),
    "copy with a mode": lambda: on(SCRATCH, copy(SRC, "/d", "/d", mode=0o600)),
    "copy without the parent": lambda: on(SCRATCH, copy(SRC, "/a", "/no/such/a")),
    "copy making the parent": lambda: on(SCRATCH, copy(SRC, "/a", "/some/new/a", create_dest_path=True)),
    "copy making the owned parent": lambda: on(
        SCRATCH, copy(SRC, "/a", "/some/a", create_dest_path=True, owner=(5, 6))
    ),
    "copy a directory": lambda: on(DEST, copy(SRC, "/d", "/new")),
    "copy a directory into a directory": lambda: on(DEST, copy(SRC, "/d", "/out/")),
    "copy a directory onto a directory": lambda: on(DEST, copy(SRC, "/d", "/out")),
    "copy contents": lambda: on(DEST, copy(SRC, "/d", "/out", contents_only=True)),
    "copy contents to what is not there": lambda: on(SCRATCH, copy(SRC, "/d", "/new/", contents_only=True)),
    "copy contents of all": lambda: on(SCRATCH, copy(SRC, "/", "/", contents_only=True)),
    "copy a directory over a file": lambda: on(DEST, copy(SRC, "/d", "/file", contents_only=True)),
    "copy a link": lambda: on(SCRATCH, copy(SRC, "/link", "/l")),
    "copy a followed link": lambda: on(SCRATCH, copy(SRC, "/link", "/l", follow_symlinks=True)),
    "copy a followed link to a directory": lambda: on(
        SCRATCH, copy(SRC, "/dlink", "/l", follow_symlinks=True)
    ),
    "copy a broken link": lambda: on(SCRATCH, copy(SRC, "/broken", "/l")),
    "copy a followed broken link": lambda: on(SCRATCH, copy(SRC, "/broken", "/l", follow_symlinks=True)),
    "copy from beneath a link": lambda: on(SCRATCH, copy(SRC, "/dlink/x.txt", "/l")),
    "copy to beneath a link": lambda: on(DEST, copy(SRC, "/a", "/to/")),
    "copy what is not there": lambda: on(SCRATCH, copy(SRC, "/nothing", "/")),
    "copy by wildcard": lambda: on(
        SCRATCH, copy(SRC, "/d/*.txt", "/w/", wildcard=True, create_dest_path=True)
    ),
    "copy by wildcard of components": lambda: on(
        SCRATCH, copy(SRC, "/*/*/*.txt", "/w/", wildcard=True, create_dest_path=True)
    ),
    "copy all by wildcard": lambda: on(SCRATCH, copy(SRC, "/*", "/w/", wildcard=True, create_dest_path=True)),
    "copy by wildcard that matches nothing": lambda: on(SCRATCH, copy(SRC, "/*.nothing", "/", wildcard=True)),
    "copy by wildcard that may match nothing": lambda: on(
        SCRATCH, copy(SRC, "/*.nothing", "/", wildcard=True, empty_wildcard=True)
    ),
    "copy a literal star": lambda: on(SCRATCH, copy(SRC, "/d/*", "/")),
    "copy special bits": lambda: on(SCRATCH, copy(SRC, "/sticky", "/s")),
    "copy special bits, owned": lambda: on(SCRATCH, copy(SRC, "/sticky", "/s", owner=(1, 2))),
    "copy with a mode of special bits": lambda: on(SCRATCH, copy(SRC, "/a", "/s", mode=0o4755)),
    "copy a link with an owner": lambda: on(SCRATCH, copy(SRC, "/link", "/l", owner=(1, 2))),
    "copy by named owner": lambda: on(ACCOUNTS, copy(SRC, "/a", "/b", owner="u:g")),
    "copy to the root": lambda: on(DEST, copy(SRC, "/a", "/")),
    "copy of the empty path": lambda: on(SCRATCH, copy(SRC, "", "/i/", contents_only=True)),
    "copy to a relative path": lambda: on(DEST.dir("/out"), copy(SRC, "/a", "new")),
    "mkfile at a relative path": lambda: on(DEST.dir("/out"), mkfile("new", b"n")),
    "rm at a relative path": lambda: on(DEST.dir("/out"), rm("old")),
    "copy by a set": lambda: on(SCRATCH, copy(SRC, "/d/[xy].*", "/w/", wildcard=True, create_dest_path=True)),
    "copy what is included": lambda: on(
        SCRATCH, copy(SRC, "/d", "/i", contents_only=True, include=["*.txt"])
    ),
    "copy what is included deep": lambda: on(
        SCRATCH, copy(SRC, "/d", "/i", contents_only=True, include=["**/*.txt"])
    ),
    "copy an included directory": lambda: on(
        SCRATCH, copy(SRC, "/", "/i", contents_only=True, include=["d/sub"])
    ),
    "copy without what is excluded": lambda: on(
        SCRATCH, copy(SRC, "/d", "/i", contents_only=True, exclude=["sub"])
    ),
    "copy with an exception": lambda: on(
        SCRATCH, copy(SRC, "/d", "/i", contents_only=True, exclude=["*", "!y.md"])
    ),
    "copy included and excluded": lambda: on(
        SCRATCH, copy(SRC, "/d", "/i", contents_only=True, include=["**/*.txt"], exclude=["sub/*"])
    ),
    "copy of a file excluded": lambda: on(SCRATCH, copy(SRC, "/a", "/i", exclude=["a"])),
    "copy an archive": lambda: on(SCRATCH, copy(ARCHIVE, "/a.tar.gz", "/w/", create_dest_path=True)),
    "unpack": lambda: on(SCRATCH, copy(ARCHIVE, "/a.tar.gz", "/w/", unpack=True, create_dest_path=True)),
    "unpack what is no archive": lambda: on(
        SCRATCH, copy(ARCHIVE, "/plain.tar", "/w/", unpack=True, create_dest_path=True)
    ),
    "unpack by wildcard": lambda: on(
        SCRATCH, copy(ARCHIVE, "/*", "/w/", unpack=True, wildcard=True, create_dest_path=True)
    ),
    "copy two into one directory": lambda: on(
        SCRATCH, mkdir("/t").copy(SRC, "/a", "/t/").copy(SRC, "/d/x.txt", "/t/")
    ),
    "copy what the same op made": lambda: on(SCRATCH, copy(mkfile("/new", b"n").on(SRC), "/new", "/got")),
    "copy out of the root": lambda: on(SCRATCH, copy(SRC, "/../../a", "/../up")),
}
TIMED: Cases = {
    "mkfile at a time": lambda: on(SCRATCH, mkfile("/f", b"1", created=1_000_000_000 * SECOND)),
    "copy at a time": lambda: on(SCRATCH, copy(SRC, "/d", "/d", created=1_000_000_000 * SECOND)),
    "unpack keeps times": lambda: on(
        SCRATCH, copy(ARCHIVE, "/a.tar.gz", "/w/", unpack=True, create_dest_path=True)
    ),
    "copy keeps times": lambda: on(
        SCRATCH, copy(SCRATCH.file(mkfile("/f", b"", created=5 * SECOND)), "/f", "/g")
    ),
}


YOUNGER: dict[str, tuple[Callable[[], State], str]] = {
    "symlink": (lambda: on(SCRATCH, symlink("there/x", "/here")), "l 0777 0:0 here -> there/x\n"),
    "symlink with an owner": (
        lambda: on(SCRATCH, symlink("/abs", "/here", owner=(9, 10))),
        "l 0777 9:10 here -> /abs\n",
    ),
    "symlink over a file": (lambda: on(DEST, symlink("x", "/file")), "failed\n"),
    "symlink in a chain": (
        lambda: on(SCRATCH, mkdir("/p").mkfile("/p/g", b"2").symlink("g", "/p/l")),
        "d 0755 0:0 p\n- 0644 0:0 p/g '2'\nl 0777 0:0 p/l -> g\n",
    ),
    "copy over what is of another kind": (
        lambda: on(
            SCRATCH.file(mkdir("/x.txt").mkfile("/x.txt/in", b"")),
            copy(SRC, "/d", "/", contents_only=True, include=["x.txt"], always_replace=True),
        ),
        "- 0640 7:8 x.txt 'x'\n",
    ),
    "unpack owned": (
        lambda: on(
            SCRATCH, copy(ARCHIVE, "/a.tar.gz", "/w/", unpack=True, create_dest_path=True, owner=(8, 9))
        ),
        "d 0755 8:9 w\nd 0755 0:0 w/in\n- 0640 8:9 w/in/one '1'\n- 0640 8:9 w/two '2'\n",
    ),
    "copy with a symbolic mode": (
        lambda: on(SCRATCH, copy(SRC, "/d/x.txt", "/x", mode="u=rwX,go=r")),
        "- 0644 7:8 x 'x'\n",
    ),
    "copy of what must be there": (
        lambda: on(
            SCRATCH, copy(SRC, "/d", "/i", contents_only=True, include=["*.md"], required_paths=["no"])
        ),
        "failed\n",
    ),
}
"""Cases that Docker's BuildKit is too old for, and what BuildKit makes of them."""


@pytest.fixture(scope="module")
def found(peer: Peer) -> dict[str, str]:
    return {**outcomes(peer, CASES), **outcomes(peer, TIMED, times=True)}


@pytest.fixture(scope="module")
def expected(peer: Peer, found: dict[str, str]) -> dict[str, str]:
    return recorded(FILE, peer, found)


@pytest.mark.parametrize("name", [*CASES, *TIMED])
def test_file_op(name: str, found: dict[str, str], expected: dict[str, str]) -> None:
    assert found[name] == expected[name]


def test_each_recorded_case_is_asked(expected: dict[str, str]) -> None:
    assert set(expected) == {*CASES, *TIMED}


def test_what_is_younger_than_docker(ours: Peer) -> None:
    made = outcomes(ours, {name: make for name, (make, _) in YOUNGER.items()})
    assert made == {name: expected for name, (_, expected) in YOUNGER.items()}
