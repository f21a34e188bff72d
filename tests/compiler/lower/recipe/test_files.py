"""`write`, `mkdir`, `remove`, `symlink` and `workdir`."""

from __future__ import annotations

from typing import Any

import pytest
from tests.compiler.lower.recipe.making import (
    BASE,
    actions,
    body,
    built,
    copying,
    history,
    last,
    lowered,
    run,
    scratch,
    template,
    vertices,
)
from tests.runtime.ops.files.room import Room, files

from pybuild.compiler.ops import ChownOpt, Copy, FileOp, MkDir, MkFile, NamedUser, Rm, Symlink
from pybuild.compiler.state import State, mkdir
from pybuild.lang.diagnostics import SourceError, UserError
from pybuild.lang.recipe import (
    Env,
    Mkdir,
    Remove,
    Start,
    Statement,
    Step,
    User,
    Workdir,
    Write,
)
from pybuild.lang.recipe import Symlink as Link

STAMP = 1_700_000_000
ROOT = ChownOpt(0, 0)


def work(path: str) -> Workdir:
    return Workdir(template(path))


def made_of(room: Room, *statements: Statement, base: Any = None, **options: Any) -> dict[str, Any]:
    """What the last op of a body makes of the base."""
    made = lowered(body(*statements), **options)
    op = last(made).op
    assert isinstance(op, FileOp)
    (out,) = room.run(op.actions, [room.state(files({"etc/passwd": b"app:x:5:6::/:\n", **(base or {})}))])
    return {path: one for path, one in room.seen(out).items() if path.split("/")[0] not in (".", "etc")}


def test_write() -> None:
    made = lowered(body(work("/src"), Write(b"hi", "sub/file", "7:8", 0o600)), epoch=STAMP)
    stamp = STAMP * 10**9
    owner = ChownOpt(7, 8)
    *before, copied = actions(made)
    assert before == [
        MkDir("/src/sub", 0o755, make_parents=True, owner=owner, timestamp=stamp),
        MkFile("/file", 0o644, b"hi", None, stamp),
    ]
    assert isinstance(copied, Copy)
    assert (copied.src, copied.dest, copied.owner, copied.mode) == ("/file", "/src/sub/", owner, 0o600)
    assert last(made).name == '[web 3/3] write to "sub/file", owner="7:8", mode=0o600'


def test_write_at_the_root_needs_no_directory() -> None:
    assert actions(lowered(body(Write(b"hi", "/file")))) == [MkFile("/file", 0o644, b"hi", ROOT)]


@pytest.mark.root
@pytest.mark.parametrize(
    ("mode", "shown"),
    [(0o600, "-rw-------"), (0o4755, "-rwsr-xr-x"), ("u+x,go=", "-rwx------"), (0o2644, "-rw-r-Sr--")],
)
def test_modes_of_files(overlay_room: Room, mode: int | str, shown: str) -> None:
    found = made_of(overlay_room, Write(b"hi", "/a/b", "app", mode), base={"a/b": b"old"})
    assert (found["a/b"].mode, found["a/b"].owner, found["a/b"].content) == (shown, (5, 6), b"hi")
    assert found["a"].mode == "drwxr-xr-x"


@pytest.mark.root
@pytest.mark.parametrize(
    ("mode", "shown"),
    [(0o755, "drwxr-xr-x"), (0o700, "drwx------"), (0o1777, "drwxrwxrwt"), ("g+w", "drwxrwxr-x")],
)
def test_modes_of_directories(overlay_room: Room, mode: int | str, shown: str) -> None:
    found = made_of(overlay_room, Mkdir(("/a/b", "/a/c/d"), "app", mode))
    assert {path for path, one in found.items() if one.mode == shown} >= {"a/b", "a/c/d"}
    assert found["a/c"].mode == found["a"].mode == "drwxr-xr-x"
    assert {one.owner for one in found.values()} == {(5, 6)}


@pytest.mark.root
@pytest.mark.parametrize("mode", [0o755, 0o700, 0o1777])
def test_a_directory_that_is_there_stays_as_it_is(overlay_room: Room, mode: int) -> None:
    found = made_of(overlay_room, Mkdir(("/a",), "5:5", mode), base={"a/": 0o711, "a/x": b"x"})
    assert (found["a"].mode, found["a"].owner) == ("drwx--x--x", (0, 0))
    assert "a/x" in found


def test_mkdir_is_one_op() -> None:
    made = lowered(body(work("/src"), Mkdir(("a", "/b/c"))))
    assert [action.path for action in actions(made)] == ["/src/a", "/b/c"]
    assert history(made)[-1] == '+ mkdir "a", "/b/c"'


@pytest.mark.root
def test_the_root_can_be_asked_for(overlay_room: Room) -> None:
    assert made_of(overlay_room, Mkdir(("/",), "0:0", 0o1777), base={"a": b""}).keys() == {"a"}


def test_remove() -> None:
    made = lowered(body(work("/src"), Remove(("a", "/tmp/*", "/we\\*ird"), optional=True)))
    assert actions(made) == [Rm("/src/a", True), Rm("/tmp/*", True, True), Rm("/we*ird", True)]


@pytest.mark.root
def test_what_is_removed_must_be_there(overlay_room: Room) -> None:
    base = {"a/x": b"", "a/y": b"", "b": b""}
    assert made_of(overlay_room, Remove(("/a/*", "/b")), base=base).keys() == {"a"}
    assert made_of(overlay_room, Remove(("/c",), optional=True), base=base).keys() == {"a", "a/x", "a/y", "b"}
    with pytest.raises(UserError, match="not found"):
        made_of(overlay_room, Remove(("/c",)), base=base)


def test_symlink() -> None:
    made = lowered(body(work("/src"), Link("../x", "a/l", "app")), epoch=1)
    owner = ChownOpt(NamedUser("app", 0), None)
    assert actions(made) == [
        MkDir("/src/a", 0o755, make_parents=True, owner=owner, timestamp=10**9),
        Symlink("../x", "/src/a/l", owner, 10**9),
    ]
    assert last(made).name == '[web 3/3] symlink "../x" to "a/l", owner="app"'


@pytest.mark.root
def test_a_link_in_a_new_directory(overlay_room: Room) -> None:
    assert made_of(overlay_room, Link("x", "/a/b/l"))["a/b/l"].content == b"x"


@pytest.mark.parametrize(
    "statement", [Write(b"", "/a", "app"), Mkdir(("/a",), "0:www"), Link("a", "/b", "app")]
)
def test_names_need_something_below(statement: Statement) -> None:
    with pytest.raises(SourceError, match="names nobody: there are no files below"):
        lowered(body(statement, base=scratch()))


# workdir


def test_workdir_makes_what_buildkits_does() -> None:
    made = lowered(body(work("/src")))
    expected = State.image(BASE, options=vertices_options()).file(mkdir("/src", mode=0o755, parents=True))
    assert expected.edge is not None
    assert last(made).digest == expected.edge.vertex.digest
    assert made.image.config.working_dir == "/src"
    assert history(made) == ['+ workdir "/src"']


def vertices_options() -> Any:
    from tests.compiler.lower.dockerfile.world import AMD64

    from pybuild.compiler.options import Options

    return Options(platform=AMD64)


def test_workdir_belongs_to_the_user() -> None:
    (action,) = actions(lowered(body(User("app"), work("/src")), epoch=2))
    assert action == MkDir("/src", 0o755, True, ChownOpt(NamedUser("app", 0), None), 2 * 10**9)


def test_a_relative_workdir_joins_the_earlier_one() -> None:
    made = lowered(body(work("/a"), work("b/../c"), work(".")))
    assert made.image.config.working_dir == "/a/c"
    assert history(made) == ['+ workdir "/a"', '+ workdir "/a/c"', 'workdir "/a/c"']


def test_workdir_expands_variables() -> None:
    made = lowered(body(Env((("HOME", template("/home/app")),)), Workdir(template("$HOME", "/src"))))
    assert made.image.config.working_dir == "/home/app/src"
    with pytest.raises(SourceError, match="`\\$HOEM` is not set"):
        lowered(body(Env((("HOME", template("/")),)), Workdir(template("$HOEM"))))


@pytest.mark.parametrize(
    "before",
    [
        [work("/a/b")],
        [Mkdir(("/a/b",))],
        [copying("x", to="/a/b/")],
        [copying("x", to="/a/b/file")],
        [Write(b"", "/a/b/file")],
        [Link("x", "/a/b/c")],
        [Mkdir(("/a/b/c",)), Env((("A", template("1")),)), User("x")],
    ],
)
@pytest.mark.parametrize("path", ["/a/b", "/a", "/"])
def test_a_directory_that_is_known_to_be_there_is_not_made(before: list[Statement], path: str) -> None:
    made = lowered(body(*before, work(path)))
    assert last(made).digest == last(lowered(body(*before))).digest
    assert history(made)[-1] == f'workdir "{path}"'


@pytest.mark.parametrize(
    "between", [[run("rm -r /a")], [Remove(("/a",))], [Remove(("/a/*",))]], ids=["run", "remove", "pattern"]
)
def test_what_may_be_gone_is_made_again(between: list[Statement]) -> None:
    made = lowered(body(work("/a"), *between, work("/a")))
    assert isinstance(last(made).op, FileOp)
    assert history(made)[-1] == '+ workdir "/a"'


def test_a_file_of_the_destinations_name_is_no_directory() -> None:
    assert history(lowered(body(copying("x", to="/a/b"), work("/a/b"))))[-1].startswith("+")


def test_what_is_known_is_known_in_what_is_built_on_it() -> None:
    first = body(work("/a"), title="first")
    assert history(lowered(body(work("/a"), base=built(first))))[-1] == 'workdir "/a"'


def test_a_snapshot_knows_what_it_knew() -> None:
    """`this` before a statement is the state before it."""
    made = body(work("/a"))
    before = made.state
    assert isinstance(before, Step)
    assert isinstance(before.before, Start)
    again = body(work("/a"), base=before.before)
    assert history(lowered(again)) == ['+ workdir "/a"']


def test_nobody_owns_a_workdir_of_nothing() -> None:
    with pytest.raises(SourceError, match='`user "app"` names nobody'):
        lowered(body(User("app"), work("/a"), base=scratch()))
    assert len(vertices(lowered(body(User("5"), work("/a"), base=scratch())))) == 1
