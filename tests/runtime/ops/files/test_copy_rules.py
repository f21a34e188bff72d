"""Where copies go and what they carry: BuildKit's rules (its file backend and fsutil's copier)."""

from __future__ import annotations

import os
import stat
from typing import Any

import pytest
from tests.runtime.ops.files.room import OLD, Room, files

from pybuild.compiler.ops import ChownOpt, Copy, MkDir, MkFile, NamedUser, Rm
from pybuild.lang.diagnostics import UserError

pytestmark = pytest.mark.root

# As COPY lowers to.
DOCKER: dict[str, Any] = {
    "dir_copy_contents": True,
    "create_dest_path": True,
    "follow_symlink": True,
    "allow_wildcard": True,
}
SOURCE = files(
    {
        "a": b"1",
        "b.txt": b"2",
        "c.txt": b"3",
        "d/x": b"4",
        "d/e/y": b"5",
        "link": "a",
        "dlink": "d",
        "up": "../../a",
    }
)


@pytest.mark.parametrize(
    ("src", "dest", "there", "want"),
    [
        ("/a", "/new", {}, {"new"}),
        ("/a", "/new/", {}, {"new", "new/a"}),
        ("/a", "/new/.", {}, {"new", "new/a"}),
        ("/a", "/p/q/new", {}, {"p", "p/q", "p/q/new"}),
        ("/a", "/dir", {"dir/": None}, {"dir", "dir/a"}),
        ("/a", "/file", {"file": b"old"}, {"file"}),
        ("/a", "/ln", {"dir/": None, "ln": "dir"}, {"dir", "dir/a", "ln"}),
        ("/a", "/ln/new", {"dir/": None, "ln": "/dir"}, {"dir", "dir/new", "ln"}),
        ("/a", "/out/x", {"out": "../../../in"}, {"out", "in", "in/x"}),
        ("/d", "/new", {}, {"new", "new/x", "new/e", "new/e/y"}),
        ("/d/", "/dir/", {"dir/z": b""}, {"dir", "dir/z", "dir/x", "dir/e", "dir/e/y"}),
        ("/d", "/", {}, {"x", "e", "e/y"}),
        ("/link", "/l", {}, {"l"}),
        ("/dlink", "/new", {}, {"new", "new/x", "new/e", "new/e/y"}),
        ("/dlink/x", "/new", {}, {"new"}),
        ("/up", "/u", {}, {"u"}),
        ("/*.txt", "/t/", {}, {"t", "t/b.txt", "t/c.txt"}),
        ("/?", "/t/", {}, {"t", "t/a", "t/x", "t/e", "t/e/y"}),
        ("/dl*/x", "/t", {}, set()),
        ("/dlink/e*", "/t", {}, {"t", "t/y"}),
        ("/none*", "/t", {}, set()),
        ("/l*", "/t/", {}, {"t", "t/link"}),
        ("/a", "..//../n", {}, {"n"}),
    ],
)
def test_destinations(room: Room, src: str, dest: str, there: dict[str, object], want: set[str]) -> None:
    base = room.state(files(there))  # type: ignore[arg-type]
    copy = Copy(src, dest, allow_empty_wildcard=True, **DOCKER)
    for source in (room.state(SOURCE), room.view(SOURCE)):
        assert room.paths(room.do(copy, base, source)) == want | {path.rstrip("/") for path in there}


def test_a_directory_itself_goes_in_or_takes_the_place(room: Room) -> None:
    source, base = room.state(files({"d/": 0o700, "d/x": b"1"})), room.state(files({"into/": None, "f": b""}))
    whole = Copy("/d", "/into")
    assert room.paths(room.do(whole, base, source)) == {"into", "into/d", "into/d/x", "f"}
    fresh = room.seen(room.do(Copy("/d", "/new"), base, source))
    assert fresh["new"].mode == "drwx------"
    assert fresh["new"].mtime == OLD
    # In place of a file it goes below the file's name, which is no directory.
    with pytest.raises(UserError, match="is not a directory"):
        room.do(Copy("/d", "/f"), base, source)


def test_links_are_entries_unless_followed(room: Room) -> None:
    source = room.state(SOURCE)
    got = room.seen(room.do(Copy("/link", "/l"), None, source))
    assert (got["l"].mode[0], got["l"].content) == ("l", b"a")
    got = room.seen(room.do(Copy("/", "/all", dir_copy_contents=True), None, source))
    assert got["all/dlink"].content == b"d"
    assert got["all/up"].content == b"../../a"


def test_without_create_dest_path_only_the_last_directory_is_made(room: Room) -> None:
    source = room.state(SOURCE)
    with pytest.raises(UserError, match="no such directory"):
        room.do(Copy("/a", "/p/q"), None, source)
    assert room.paths(room.do(Copy("/a", "/p/"), None, source)) == {"p", "p/a"}


def test_the_topmost_directory_of_contents_gets_no_metadata_but_time(room: Room) -> None:
    source = room.state(files({"d/": 0o700, "d/s/": 0o711, "d/s/f": b""}))
    base = room.state(files({"there/": 0o755, "there/s/": 0o750}))
    new = room.seen(room.do(Copy("/d", "/new", mode=0o444, **DOCKER), None, source))
    assert (new["new"].mode, new["new/s"].mode, new["new/s/f"].mode) == (
        "drwxr-xr-x",
        "dr--r--r--",
        "-r--r--r--",
    )
    old = room.seen(room.do(Copy("/d", "/there", timestamp=5, owner=ChownOpt(7, 8), **DOCKER), base, source))
    assert (old["there"].mode, old["there"].owner, old["there"].mtime) == ("drwxr-xr-x", (0, 0), 5)
    assert (old["there/s"].mode, old["there/s"].owner, old["there/s"].mtime) == ("drwx--x--x", (7, 8), 5)


@pytest.mark.parametrize(("path", "what"), [("x", "there/x"), ("x", "there/x/deep")])
def test_directories_and_files_replace_each_other_only_when_asked(room: Room, path: str, what: str) -> None:
    source = room.state(files({"d/x": b"1", "e/x/deep": b"2", "l/x": "nowhere"}))
    as_directory = room.state(files({"there/x/old": b"", "there/keep": b""}))
    as_file = room.state(files({"there/x": b"", "there/keep": b""}))
    always = {"always_replace_existing_dest_paths": True, **DOCKER}
    for src, base in (("/d", as_directory), ("/l", as_directory), ("/e", as_file)):
        with pytest.raises(UserError, match="directory"):
            room.do(Copy(src, "/there", **DOCKER), base, source)
        got = room.seen(room.do(Copy(src, "/there", **always), base, source))
        assert "there/keep" in got
        assert "there/x/old" not in got
        assert ("there/x/deep" in got) == (src == "/e")
    # What is replaced by a file of the same name goes without asking.
    assert room.seen(room.do(Copy("/d", "/there", **DOCKER), as_file, source))["there/x"].content == b"1"
    assert (
        room.seen(room.do(Copy("/e", "/", **always), room.state(files({"x": "gone"})), source))["x"].mode[0]
        == "d"
    )


def test_owners_modes_and_times(room: Room) -> None:
    def make(root: bytes) -> None:
        files({"d/f": b"1", "d/x": b"2", "d/l": "f"})(root)
        os.chown(root + b"/d/f", 10, 20)
        os.chmod(root + b"/d/f", 0o4750)
        os.chmod(root + b"/d/x", 0o755)
        os.chown(root + b"/d/l", 11, 21, follow_symlinks=False)

    snapshot, view = room.state(make), room.view(make)
    got = room.seen(room.do(Copy("/d", "/o", **DOCKER), None, snapshot))
    assert (got["o/f"].owner, got["o/f"].mode, got["o/f"].mtime) == ((10, 20), "-rwsr-x---", OLD)
    assert (got["o/l"].owner, got["o/l"].mtime) == ((11, 21), OLD)
    got = room.seen(room.do(Copy("/d", "/o", **DOCKER), None, view))
    assert (got["o/f"].owner, got["o/l"].owner, got["o/f"].mode) == ((0, 0), (0, 0), "-rwsr-x---")
    for source in (snapshot, view):
        chowned = Copy("/d", "/p/o", owner=ChownOpt(5, 6), timestamp=99, **DOCKER)
        got = room.seen(room.do(chowned, None, source))
        assert {entry.owner for path, entry in got.items() if path != "."} == {(5, 6)}
        assert {entry.mtime for path, entry in got.items() if path not in (".",)} == {99}
        assert got["p/o/f"].mode == "-rwsr-x---"
        got = room.seen(room.do(Copy("/d", "/o", mode=0o2600, **DOCKER), None, source))
        assert (got["o/f"].mode, got["o/l"].mode[0]) == ("-rw---S---", "l")
        got = room.seen(room.do(Copy("/d", "/o", mode_str="u=rwX,go=rX", **DOCKER), None, source))
        assert (got["o/f"].mode[1:4], got["o/x"].mode) == ("rwx", "-rwxr-xr-x")


def test_owners_by_name_come_from_the_state_that_is_named(room: Room) -> None:
    users = room.state(
        files(
            {
                "etc/passwd": b"root:x:0:0::/:\nbad\nweb:x:33:34::/:\n",
                "etc/group": b"root:x:0:\nstaff:x:50:web\n",
            }
        )
    )
    source = room.state(SOURCE)

    def owner(user: object, group: object) -> tuple[int, int]:
        copy = Copy("/a", "/a", owner=ChownOpt(user, group))  # type: ignore[arg-type]
        return room.seen(room.do(copy, users, source))["a"].owner

    assert owner(NamedUser("web", 0), None) == (33, 34)
    assert owner(NamedUser("web", 0), NamedUser("staff", 0)) == (33, 50)
    assert owner(None, NamedUser("staff", 0)) == (0, 50)
    assert owner(7, None) == (7, 7)
    assert owner(7, 8) == (7, 8)
    for user, group, said in (
        (NamedUser("nobody", 0), None, "user 'nobody'"),
        (0, NamedUser("web", 0), "group 'web'"),
    ):
        with pytest.raises(UserError, match=said):
            owner(user, group)
    with pytest.raises(UserError, match="/etc/passwd"):
        room.do(Copy("/a", "/a", owner=ChownOpt(NamedUser("web", 1), None)), users, source)
    with pytest.raises(UserError, match="invalid user index: -1"):
        room.do(Copy("/a", "/a", owner=ChownOpt(NamedUser("web", -1), None)), None, source)


def test_a_set_group_id_directory_gives_its_group_only_to_what_is_made(room: Room) -> None:
    def make(root: bytes) -> None:
        os.mkdir(root + b"/mail")
        os.chown(root + b"/mail", 0, 8)
        os.chmod(root + b"/mail", 0o2775)

    base = room.state(make)
    for source in (room.state(SOURCE), room.view(SOURCE)):
        got = room.seen(room.do(Copy("/", "/mail/", **DOCKER), base, source))
        owners = {entry.owner for path, entry in got.items() if path.startswith("mail/")}
        assert owners == {(0, 0)}
        assert got["mail/d"].mode == "drwxr-xr-x"
    made = room.seen(room.chain([MkDir("/mail/m", 0o755), MkFile("/mail/f", 0o644)], base))
    assert (made["mail/m"].owner, made["mail/f"].owner, made["mail/m"].mode) == ((0, 8), (0, 8), "drwxr-sr-x")
    whole = room.seen(room.do(Copy("/mail", "/post"), None, room.state(files({"mail/f": b""}), base)))
    assert (whole["post"].mode, whole["post"].owner) == ("drwxrwsr-x", (0, 8))


def test_hard_links_stay_links_within_a_source(room: Room) -> None:
    def make(root: bytes) -> None:
        files({"d/f": b"1", "d/other": b"1", "e/f": b"0", "s": "d"})(root)
        os.link(root + b"/d/f", root + b"/d/g")
        os.link(root + b"/s", root + b"/t", follow_symlinks=False)
        os.link(root + b"/d/f", root + b"/e/h")

    for source in (room.state(make), room.view(make)):
        out = room.do(Copy("/", "/", **DOCKER), None, source)
        assert room.links(out) == {frozenset({"d/f", "d/g", "e/h"}), frozenset({"s", "t"})}
        # Sources of one wildcard are copied one by one: what they share must not be lost or mixed up.
        got = room.do(Copy("/[de]/[fgh]", "/to/", **DOCKER), None, source)
        assert {path: one.content for path, one in room.seen(got).items() if one.mode[0] == "-"} == {
            "to/f": b"0",
            "to/g": b"1",
            "to/h": b"1",
        }


def test_sources_of_one_wildcard_are_merged(room: Room) -> None:
    source = room.state(files({"d1/x": b"1", "d1/s/y": b"1", "d2/x": b"2", "d2/s/y": b"2", "d2/s/z": b"2"}))
    got = room.seen(room.do(Copy("/d*", "/to/", **DOCKER), None, source))
    assert {path: one.content for path, one in got.items() if one.mode[0] == "-"} == {
        "to/x": b"2",
        "to/s/y": b"2",
        "to/s/z": b"2",
    }


def test_same_named_links_of_two_sources_replace_each_other(room: Room) -> None:
    def make(root: bytes) -> None:
        files({"a/x": b"1", "b/": None})(root)
        os.link(root + b"/a/x", root + b"/b/x")

    for source in (room.state(make), room.view(make)):
        got = room.seen(room.do(Copy("/*/x", "/to/", **DOCKER), None, source))
        assert got["to/x"].content == b"1"


def test_special_files_attributes_and_names(room: Room) -> None:
    def make(root: bytes) -> None:
        os.mkdir(root + b"/d")
        os.mkfifo(root + b"/d/pipe", 0o600)
        os.mknod(root + b"/d/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        os.mknod(root + b"/d/disk", stat.S_IFBLK | 0o660, os.makedev(7, 9))
        os.mknod(root + b"/d/sock", stat.S_IFSOCK | 0o660)
        files({"d/cap": b"1", "d/\udcff\udcfe": b"raw"})(root)
        os.setxattr(root + b"/d/cap", "user.note", b"hi")
        os.setxattr(root + b"/d/cap", "security.capability", bytes.fromhex("0100000200040000" + "00" * 12))
        os.setxattr(root + b"/d", "user.dir", b"yes")

    for source in (room.state(make), room.view(make)):
        for owner in (None, ChownOpt(3, 4)):
            got = room.seen(room.do(Copy("/d", "/n/", owner=owner, create_dest_path=True), None, source))
            assert got["n/d/pipe"].mode == "prw-------"
            assert (got["n/d/null"].mode[0], got["n/d/null"].device) == ("c", os.makedev(1, 3))
            assert (got["n/d/disk"].mode[0], got["n/d/disk"].device) == ("b", os.makedev(7, 9))
            assert got["n/d/\udcff\udcfe"].content == b"raw"
            assert [name for name, _ in got["n/d/cap"].attributes] == ["security.capability", "user.note"]
            assert got["n/d"].attributes == (("user.dir", b"yes"),)
            assert "n/d/sock" not in got


def test_holes_stay_holes(room: Room) -> None:
    size = 64 << 20

    def make(root: bytes) -> None:
        with open(root + b"/big", "wb") as file:
            file.write(b"start")
            file.seek(32 << 20)
            file.write(b"middle" * 1000)
            file.truncate(size)

    for source in (room.state(make), room.view(make)):
        out = room.do(Copy("/big", "/big", mode=0o600), None, source)
        with room.snapshotter.mount(out.id) as root:
            found = os.stat(root + b"/big")
            assert found.st_size == size
            assert found.st_blocks * 512 < 8 << 20
            with open(root + b"/big", "rb") as file:
                assert file.read(5) == b"start"
                file.seek(32 << 20)
                assert file.read(6000) == b"middle" * 1000
                assert file.read(100) == bytes(100)


@pytest.mark.parametrize(
    ("include", "exclude", "want"),
    [
        ((), ("*.md",), {"src/a.py", "src/t/b.py", "src/t/c.md", "doc/d.md", "empty"}),
        ((), ("**/*.md",), {"src/a.py", "src/t/b.py", "doc", "empty"}),
        ((), ("src",), {"doc/d.md", "empty", "top.md"}),
        ((), ("src", "!src/t/b.py"), {"src/t/b.py", "doc/d.md", "empty", "top.md"}),
        (("src/t",), (), {"src/t/b.py", "src/t/c.md"}),
        (("**/*.md",), (), {"src/t/c.md", "doc/d.md", "top.md"}),
        (("src/**",), ("**/*.md",), {"src/a.py", "src/t/b.py"}),
        (("none",), (), set()),
        (("empty",), (), {"empty"}),
    ],
)
def test_include_and_exclude_patterns(
    room: Room, include: tuple[str, ...], exclude: tuple[str, ...], want: set[str]
) -> None:
    make = files(
        {"c/src/": 0o701, "c/src/a.py": b"", "c/src/t/b.py": b"", "c/src/t/c.md": b"", "c/doc/d.md": b"",
         "c/empty/": None, "c/top.md": b""}
    )  # fmt: skip
    for source in (room.state(make), room.view(make)):
        copy = Copy("/c", "/o", include_patterns=include, exclude_patterns=exclude, **DOCKER)
        got = room.seen(room.do(copy, None, source))
        leaves = {
            path.removeprefix("o/")
            for path in got
            if path.startswith("o/") and not any(other.startswith(path + "/") for other in got)
        }
        assert leaves == want
        if "o/src" in got:
            assert (got["o/src"].mode, got["o/src"].mtime) == ("drwx-----x", OLD)


def test_patterns_do_not_make_directories_of_what_is_left_out(room: Room) -> None:
    source = room.state(files({"a/b/c": b"1", "a/z/": None, "q/r": b""}))
    base = room.state(files({"o/a/": 0o700}))
    got = room.seen(room.do(Copy("/", "/o", include_patterns=("a/b",), **DOCKER), base, source))
    assert set(got) == {".", "o", "o/a", "o/a/b", "o/a/b/c"}
    assert got["o/a"].mode == "drwxr-xr-x"


def test_required_paths_must_be_there(room: Room) -> None:
    source = room.state(files({"d/x": b"", "d/l": "x"}))
    copy = Copy("/d", "/o", include_patterns=("x", "y"), required_paths=("/d/x", "/d/l"), **DOCKER)
    assert room.paths(room.do(copy, None, source)) == {"o", "o/x"}
    copy = Copy("/d", "/o", include_patterns=("x", "y"), required_paths=("/d/y",), **DOCKER)
    with pytest.raises(UserError, match=r'^"/d/y": not found(?m:$)'):
        room.do(copy, None, source)


def test_removal(room: Room) -> None:
    base = room.state(files({"d/a.o": b"", "d/b.o": b"", "d/c": b"", "l": "d", "dead": "nowhere"}))
    assert room.paths(room.do(Rm("/l"), base)) == {"d", "d/a.o", "d/b.o", "d/c", "dead"}
    assert room.paths(room.do(Rm("/dead"), base)) == {"d", "d/a.o", "d/b.o", "d/c", "l"}
    assert room.paths(room.do(Rm("/l/c"), base)) == {"d", "d/a.o", "d/b.o", "l", "dead"}
    assert room.paths(room.do(Rm("/d/*.o", allow_wildcard=True), base)) == {"d", "d/c", "l", "dead"}
    assert room.paths(room.do(Rm("/d"), base)) == {"l", "dead"}
    assert room.paths(room.do(Rm("/nope/x", allow_not_found=True), base)) == room.paths(base)
    assert room.paths(room.do(Rm("/d/c/x", allow_not_found=True), base)) == room.paths(base)
    for path, said in (("/nope", "not found"), ("/d/c/x", "not found"), ("/", "root")):
        with pytest.raises(UserError, match=said):
            room.do(Rm(path), base)
    # What was there does not show again.
    again = room.do(MkDir("/d", 0o755), room.do(Rm("/d"), base))
    assert room.paths(again) == {"d", "l", "dead"}
