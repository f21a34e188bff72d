"""mkfile, mkdir and symlink, and chains of actions."""

from __future__ import annotations

import pytest
from tests.runtime.ops.files.room import OLD, Body, Room, files

from pybuild.compiler.ops import EMPTY, ChownOpt, Copy, FileAction, MkDir, MkFile, NamedUser, Rm, Symlink
from pybuild.lang.diagnostics import UserError

pytestmark = pytest.mark.root


def test_mkfile(room: Room) -> None:
    base = room.state(files({"d/old": b"long content", "l": "d/old", "dangling": "d/new", "pipe/": None}))
    got = room.seen(room.do(MkFile("/d/old", 0o600, b"new", ChownOpt(1, 2), 77), base))
    # The file that was there is written to.
    one = got["d/old"]
    assert (one.mode, one.content, one.owner, one.mtime) == ("-rw-r--r--", b"new", (1, 2), 77)
    assert got["d"].mtime == OLD
    assert room.seen(room.do(MkFile("/l", 0o644, b"x"), base))["d/old"].content == b"x"
    assert room.seen(room.do(MkFile("/dangling", 0o644, b"x"), base))["d/new"].content == b"x"
    big = bytes(range(256)) * 20_000
    assert room.seen(room.do(MkFile("/big", 0o7777, big)))["big"][:3:2] == ("-rwxrwxrwx", big)
    for path, said in (
        ("/no/x", "no such directory"),
        ("/d", "directory"),
        ("/", "directory"),
        ("/d/old/x", "not a directory"),
    ):
        with pytest.raises(UserError, match=said):
            room.do(MkFile(path, 0o644, b""), base)


def test_mkfile_leaves_other_names_of_a_file_alone(room: Room) -> None:
    def make(root: bytes) -> None:
        import os

        files({"a": b"1"})(root)
        os.link(root + b"/a", root + b"/b")

    got = room.seen(room.do(MkFile("/a", 0o644, b"2"), room.state(make)))
    assert (got["a"].content, got["b"].content) == (b"2", b"1")


def test_mkdir(room: Room) -> None:
    base = room.state(files({"f": b"", "d/": 0o700, "dangling": "p/q"}))
    got = room.seen(room.do(MkDir("/d/e", 0o1750, owner=ChownOpt(1, 2), timestamp=5), base))
    assert (got["d/e"].mode, got["d/e"].owner, got["d/e"].mtime) == ("drwxr-x---", (1, 2), 5)
    got = room.seen(room.do(MkDir("/d/x/y", 0o700, make_parents=True, owner=ChownOpt(1, 2)), base))
    assert {got["d/x"][:2], got["d/x/y"][:2]} == {("drwx------", (1, 2))}
    assert got["d"].owner == (0, 0)
    assert "p/q" in room.paths(room.do(MkDir("/dangling", 0o755, make_parents=True), base))
    # One that is there is left as it is.
    assert room.seen(room.do(MkDir("/d", 0o777), base))["d"].mode == "drwx------"
    assert room.seen(room.do(MkDir("/f", 0o777), base))["f"].mode == "-rw-r--r--"
    for made, said in (
        (MkDir("/n/m", 0o755), "no such directory"),
        (MkDir("/f/m", 0o755), "not a directory"),
        (MkDir("/f/m", 0o755, make_parents=True), "not a directory"),
    ):
        with pytest.raises(UserError, match=said):
            room.do(made, base)


def test_a_directory_of_an_unknown_owner_is_made_with_a_warning(room: Room) -> None:
    """The owners are those that BuildKit gives. Files of an unknown owner are refused: see test_copy_rules."""
    base = room.state(
        files({"etc/passwd": b"ann:x:7:8::/:\n", "etc/group": b"staff:x:50:\n", "there/": None})
    )
    ann, nobody, staff = NamedUser("ann", 0), NamedUser("nobody", 0), NamedUser("staff", 0)
    cases: dict[tuple[NamedUser | int, NamedUser | None], tuple[int, int]] = {
        (nobody, None): (0, 0),
        (nobody, staff): (0, 50),
        (ann, NamedUser("none", 0)): (7, 8),
        (5, NamedUser("none", 0)): (5, 5),
    }
    for (user, group), owner in cases.items():
        made = MkDir("/w/x", 0o755, make_parents=True, owner=ChownOpt(user, group))
        got = room.seen(room.do(made, base))
        assert {got["w"].owner, got["w/x"].owner} == {owner}
        said = room.warned.pop()
        assert ("unknown user 'nobody'" if user is nobody else "unknown group 'none'") in said.title
        assert said.level == "warning"
        assert "/w/x is made all the same" in said.notes[0][1]
    room.do(MkDir("/there", 0o755, make_parents=True, owner=ChownOpt(nobody, None)), base)
    with pytest.raises(UserError, match="unknown user 'nobody'"):
        room.do(MkFile("/f", 0o644, owner=ChownOpt(nobody, None)), base)
    assert room.warned == []


def test_symlink(room: Room) -> None:
    base = room.state(files({"f": b"", "d/": None, "dangling": "d/new"}))
    got = room.seen(room.do(Symlink("../any thing", "/d/l", ChownOpt(3, 4), 9), base))
    assert got["d/l"][:3] == ("lrwxrwxrwx", (3, 4), b"../any thing")
    assert got["d/l"].mtime == 9
    assert room.seen(room.do(Symlink("x", "/dangling"), base))["d/new"].content == b"x"
    for path, said in (("/f", "exists"), ("/d", "exists"), ("/n/l", "no such directory"), ("/", "exists")):
        with pytest.raises(UserError, match=said):
            room.do(Symlink("x", path), base)


def test_circles_of_links_are_an_error(room: Room) -> None:
    base = room.state(files({"a": "b", "b": "a"}))
    for body in (
        MkFile("/a/x", 0o644),
        MkDir("/a/x", 0o755, make_parents=True),
        Symlink("y", "/a/x"),
        Rm("/a/x"),
    ):
        with pytest.raises(UserError, match="/a"):
            room.do(body, base)
    with pytest.raises(UserError, match="/a"):
        room.do(Copy("/a", "/x", follow_symlink=True), None, base)


def test_a_heredoc_is_a_file_on_scratch_then_copied(room: Room) -> None:
    base = room.state(files({"etc/": None}))
    actions = [
        FileAction(EMPTY, EMPTY, EMPTY, MkFile("/script", 0o644, b"echo hi\n")),
        FileAction(0, 1, 0, Copy("/script", "/usr/bin/", mode=0o755, create_dest_path=True)),
    ]
    (out,) = room.run(actions, [base])
    got = room.seen(out)
    assert (got["usr/bin/script"].mode, got["usr/bin/script"].content) == ("-rwxr-xr-x", b"echo hi\n")
    assert "etc" in got


def test_chains_share_states_and_have_outputs(room: Room) -> None:
    base = room.state(files({"f": b"0"}))
    actions = [
        FileAction(0, EMPTY, EMPTY, MkFile("/a", 0o644, b"1")),  # 1
        FileAction(1, EMPTY, 0, MkFile("/b", 0o644, b"2")),  # 2
        FileAction(1, EMPTY, 1, Rm("/a")),  # 3
        FileAction(2, 3, 2, Copy("/", "/from3/", create_dest_path=True, dir_copy_contents=True)),  # 4
    ]
    first, second, third = room.run(actions, [base])
    assert room.paths(first) == {"f", "a", "b"}
    assert room.paths(second) == {"f"}
    assert room.paths(third) == {"f", "a", "b", "from3", "from3/f"}


def test_a_state_that_is_built_on_can_be_read_later(room: Room) -> None:
    actions = [
        FileAction(EMPTY, EMPTY, EMPTY, MkFile("/a", 0o644, b"1")),  # 0
        FileAction(0, EMPTY, EMPTY, MkFile("/b", 0o644, b"2")),  # 1, on 0
        FileAction(1, 0, 0, Copy("/", "/was/", create_dest_path=True, dir_copy_contents=True)),  # 0 as it was
    ]
    (out,) = room.run(actions)
    assert room.paths(out) == {"a", "b", "was", "was/a"}
    (out,) = room.run([actions[0], FileAction(0, 0, 0, Copy("/a", "/b"))])
    assert room.paths(out) == {"a", "b"}


def test_long_chains_over_directories_of_the_parent(room: Room) -> None:
    base = room.state(files({"d/a/x": b"", "d/b": b"", "e/f": b""}))
    bodies: list[Body] = [
        Rm("/d/a"),
        MkDir("/d/a", 0o700),
        MkFile("/d/a/y", 0o600, b"y"),
        Rm("/e"),
        MkFile("/e", 0o644, b"file"),
        Rm("/e"),
        MkDir("/e/g", 0o755, make_parents=True),
        Copy("/src", "/d/", dir_copy_contents=True),
        Rm("/d/a/y"),
    ]
    source = room.state(files({"src/a/z": b"z", "src/b": b"new"}))
    got = room.seen(room.chain(bodies, base, source))
    assert set(got) == {".", "d", "d/a", "d/a/z", "d/b", "e", "e/g"}
    assert (got["d/b"].content, got["d/a"].mode) == (b"new", "drwxr-xr-x")


def test_a_local_directory_may_be_the_base(room: Room) -> None:
    got = room.seen(room.do(MkFile("/n", 0o644, b"1"), room.view(files({"a/b": b"2"}))))
    assert {path for path in got if path != "."} == {"a", "a/b", "n"}
