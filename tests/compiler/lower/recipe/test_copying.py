"""`copy` (language spec, section 12): its op, and the files it makes when it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from tests.compiler.lower.recipe.making import (
    BASE,
    CONTEXT,
    actions,
    body,
    built,
    copying,
    last,
    lowered,
    lowered_all,
    run,
    scratch,
    template,
    vertices,
)
from tests.runtime.ops.files.room import Room, files

from pybuild.compiler.graph import Edge
from pybuild.compiler.ops import ChownOpt, Copy, FileOp, MergeOp, NamedUser, SourceOp
from pybuild.compiler.state import State, copy
from pybuild.lang.diagnostics import SourceError, UserError
from pybuild.lang.recipe import BindMount, Directory, Git, Merge, User, Workdir
from pybuild.runtime.ops.results import Result

Spec = Mapping[str, bytes | str | int | None]

OTHER = Git(None, "https://example.com/r.git", "main")
"""A state that nobody has looked into; its files are what a test says."""

TREE: Spec = {
    "src/a.py": b"a",
    "src/sub/b.py": b"b",
    "src/sub/c.md": b"c",
    "src/.hidden": b"h",
    "file": b"f",
    "x/package.json": b"1",
    "y/package.json": b"2",
    "y/z/package.json": b"3",
    "link": "file",
    "linked": "src",
    "we*ird": b"w",
    "empty/": 0o700,
}


class Case:
    def __init__(self, room: Room) -> None:
        self.room = room

    def of(
        self,
        *sources: str,
        to: str,
        tree: Spec = TREE,
        base: Spec | None = None,
        local: bool = False,
        **options: Any,
    ) -> dict[str, Any]:
        """What the destination is after the copy, without the files of the base but for those in `/app`."""
        source = CONTEXT if local else OTHER
        made = lowered(body(copying(*sources, to=to, source=source, **options)))
        results: dict[str, Result] = {
            "docker-image": self.room.state(files({"etc/passwd": b"app:x:5:6::/:\n", **(base or {})})),
            "git": self.room.state(files(tree)),
            "local": self.room.view(files(tree)),
        }
        op = last(made).op
        assert isinstance(op, FileOp)
        inputs = [results[kind_of(edge)] for edge in last(made).inputs]
        (out,) = self.room.run(op.actions, inputs)
        seen = self.room.seen(out)
        return {path: one for path, one in seen.items() if path.split("/")[0] not in (".", "etc")}


def kind_of(edge: Edge) -> str:
    op = edge.vertex.op
    assert isinstance(op, SourceOp)
    return op.identifier.partition(":")[0]


@pytest.fixture
def case(overlay_room: Room) -> Case:
    return Case(overlay_room)


def paths(found: Mapping[str, Any]) -> set[str]:
    """Paths of what is no directory, and of empty directories with a `/`."""
    directories = {path for path, one in found.items() if one.mode.startswith("d")}
    full = {path.rpartition("/")[0] for path in found}
    return {path for path in found if path not in directories} | {f"{path}/" for path in directories - full}


SRC = {"a.py", "sub/b.py", "sub/c.md", ".hidden"}


def under(prefix: str, names: set[str] = SRC) -> set[str]:
    return {f"{prefix}/{name}" for name in names}


pytestmark = pytest.mark.root
BOTH = pytest.mark.parametrize("local", [False, True], ids=["state", "local"])


@BOTH
@pytest.mark.parametrize("base", [{}, {"app/": 0o755}], ids=["missing", "there"])
@pytest.mark.parametrize(
    ("sources", "to", "expected"),
    [
        # The table of section 12.
        (["src"], "/app", under("app")),
        (["src/"], "/app/", under("app")),
        (["src"], "/app/", under("app/src")),
        (["*/package.json"], "/app/", {"app/x/package.json", "app/y/package.json"}),
        # Directories.
        (["src/"], "/app", under("app")),
        (["src/."], "/app/", under("app")),
        (["./src/sub/.."], "/app/", under("app/src")),
        (["/src/sub", "file"], "/app/", {"app/sub/b.py", "app/sub/c.md", "app/file"}),
        (["empty"], "/app/", {"app/empty/"}),
        # Files.
        (["file"], "/app/", {"app/file"}),
        (["src/a.py", "file"], "/app/deep/er/", {"app/deep/er/a.py", "app/deep/er/file"}),
        (["we\\*ird"], "/app/", {"app/we*ird"}),
        # Links.
        (["link"], "/app/", {"app/link"}),
        (["linked"], "/app/", {"app/linked"}),
        (["linked/"], "/app/", under("app")),
        (["linked/a.py"], "/app/", {"app/a.py"}),
        # Patterns.
        (["src/*"], "/app/", under("app")),
        (["src/*.py"], "/app/", {"app/a.py"}),
        (["src/**/*.py"], "/app/", {"app/a.py", "app/sub/b.py"}),
        (["**/package.json"], "/app/", {"app/x/package.json", "app/y/package.json", "app/y/z/package.json"}),
        (["src/**"], "/app/", under("app")),
        (["linked/*.py"], "/app/", {"app/a.py"}),
        (["[xy]"], "/app/", {"app/x/package.json", "app/y/package.json", "app/y/z/package.json"}),
        (["fil?"], "/app/", {"app/file"}),
        (["we\\*i*"], "/app/", {"app/we*ird"}),
    ],
)
def test_what_lands_where(
    case: Case, sources: list[str], to: str, expected: set[str], base: Spec, local: bool
) -> None:
    assert paths(case.of(*sources, to=to, base=base, local=local)) == expected


@BOTH
@pytest.mark.parametrize("source", [".", "/"])
@pytest.mark.parametrize("to", ["/app", "/app/"])
def test_everything(case: Case, source: str, to: str, local: bool) -> None:
    assert paths(case.of(source, to=to, local=local)) == {f"app/{path}" for path in TREE}


@BOTH
def test_a_file_becomes_the_destination(case: Case, local: bool) -> None:
    found = case.of("src/a.py", to="/app", local=local)
    assert paths(found) == {"app"}
    assert found["app"].content == b"a"


def test_a_file_goes_into_a_directory_that_is_there(case: Case) -> None:
    assert paths(case.of("file", to="/app", base={"app/": 0o755})) == {"app/file"}


def test_directories_are_merged(case: Case) -> None:
    base = {"app/old": b"o", "app/sub/old": b"o", "app/a.py": b"old"}
    found = case.of("src", to="/app", base=base)
    assert paths(found) == under("app") | {"app/old", "app/sub/old"}
    assert found["app/a.py"].content == b"a"
    inside = case.of("src", to="/app/", base={"app/src/old": b"o", "app/src/a.py": b"old"})
    assert paths(inside) == under("app/src") | {"app/src/old"}


def test_a_relative_destination(case: Case) -> None:
    made = lowered(body(Workdir(template("/work")), copying("file", to="sub/")))
    assert actions(made)[0].dest == "/work/sub/"
    assert actions(lowered(body(Workdir(template("/work")), copying("file", to="."))))[0].dest == "/work"


@BOTH
def test_parents(case: Case, local: bool) -> None:
    assert paths(case.of("src/sub", "file", to="/app/", parents=True, local=local)) == {
        "app/src/sub/b.py",
        "app/src/sub/c.md",
        "app/file",
    }
    assert paths(case.of("src/**/*.py", to="/app/", parents=True, local=local)) == {
        "app/src/a.py",
        "app/src/sub/b.py",
    }
    assert paths(case.of("src/sub/", to="/app/", parents=True, local=local)) == {
        "app/src/sub/b.py",
        "app/src/sub/c.md",
    }
    assert paths(case.of("we\\*ird", to="/app/", parents=True, local=local)) == {"app/we*ird"}


@BOTH
@pytest.mark.parametrize(
    ("sources", "options", "expected"),
    [
        (["src"], {"exclude": ["*.py"]}, {"app/src/sub/b.py", "app/src/sub/c.md", "app/src/.hidden"}),
        (["src"], {"exclude": ["**/*.py"]}, {"app/src/sub/c.md", "app/src/.hidden"}),
        (["src"], {"exclude": ["sub", "!sub/b.py"]}, {"app/src/a.py", "app/src/sub/b.py", "app/src/.hidden"}),
        (["src/**/*.py"], {"exclude": ["sub"]}, {"app/a.py"}),
        (["src/*"], {"exclude": ["*.py"]}, {"app/sub/b.py", "app/sub/c.md", "app/.hidden"}),
        (["src"], {"exclude": ["*.py", "sub"], "parents": True}, {"app/src/.hidden"}),
        (["src"], {"exclude": ["**", "!sub/b.py"], "parents": True}, {"app/src/sub/b.py"}),
        (["src/**/*.*"], {"exclude": ["*.py"], "parents": True}, under("app/src", SRC - {"a.py"})),
    ],
)
def test_excludes(case: Case, sources: list[str], options: Any, expected: set[str], local: bool) -> None:
    options = {**options, "exclude": tuple(options["exclude"])}
    assert paths(case.of(*sources, to="/app/", local=local, **options)) == expected


def test_follow(case: Case) -> None:
    found = case.of("link", to="/app/", follow=True)
    assert found["app/link"].content == b"f"
    assert found["app/link"].mode.startswith("-")
    assert paths(case.of("linked", to="/app/", follow=True)) == under("app/linked")
    plain = case.of("link", to="/app")
    assert plain["app"].mode.startswith("l")


@BOTH
@pytest.mark.parametrize(
    "source", ["missing", "missing/", "src/missing", "missing/*.py", "src/*.txt", "missing/**/x", "*/missing"]
)
def test_what_is_missing(case: Case, source: str, local: bool) -> None:
    assert case.of(source, to="/app/", optional=True, local=local).keys() <= {"app"}
    if local and "*" in source and "missing/" not in source:
        return  # the expansion has looked
    with pytest.raises(UserError) as caught:
        case.of(source, to="/app/", local=local)
    assert caught.value.diagnostic.title.endswith("not found")


@BOTH
def test_parents_of_what_is_missing(case: Case, local: bool) -> None:
    assert case.of("src/missing", to="/app/", optional=True, parents=True, local=local).keys() <= {"app"}
    with pytest.raises(UserError, match="not found"):
        case.of("src/missing", to="/app/", parents=True, local=local)


def test_optional_among_others(case: Case) -> None:
    assert paths(case.of("missing", "file", "src/*.py", to="/app/", optional=True)) == {
        "app/file",
        "app/a.py",
    }


def test_failures_are_at_the_statement(case: Case) -> None:
    made = lowered(body(copying("file", to="/app/", source=OTHER)))
    assert [span.line for span in last(made).metadata.spans] == [2]


@BOTH
@pytest.mark.parametrize("source", ["src", "src/", "**/*.py", "src/*"])
def test_owner_and_mode(case: Case, source: str, local: bool) -> None:
    found = case.of(source, to="/app/", local=local)
    assert {one.owner for one in found.values()} == {(0, 0)}
    found = case.of(source, to="/app/new/", local=local, owner="app", mode=0o640)
    assert {one.owner for one in found.values()} == {(5, 6)}
    assert {one.mode for path, one in found.items() if path.endswith(".py")} == {"-rw-r-----"}
    found = case.of(source, to="/app/", local=local, mode="a+x", owner="7:8")
    assert {one.mode for path, one in found.items() if path.endswith(".py")} == {"-rwxr-xr-x"}
    assert {one.owner for one in found.values()} == {(7, 8)}


def test_modes_of_directories_stay(case: Case) -> None:
    found = case.of("empty", "src/**/b.py", to="/app/", tree={**TREE, "src/sub/": 0o700})
    assert found["app/empty"].mode == "drwx------"
    assert found["app/sub"].mode == "drwx------"


def archive(names: Mapping[str, bytes]) -> bytes:
    import io
    import tarfile

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in names.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


@BOTH
@pytest.mark.parametrize("to", ["/app", "/app/"])
@pytest.mark.parametrize("source", ["a.tar", "*.tar", "?.tar"])
def test_unpack(case: Case, to: str, source: str, local: bool) -> None:
    tree = {"a.tar": archive({"in/x": b"x"})}
    assert paths(case.of(source, to=to, tree=tree, unpack=True, local=local)) == {"app/in/x"}


def test_unpack_of_a_pattern_in_a_directory(case: Case) -> None:
    tree = {"d/e/a.tar": archive({"x": b"x"}), "d/f/b.tar": archive({"y": b"y"})}
    assert paths(case.of("d/*/*.tar", to="/app/", tree=tree, unpack=True)) == {"app/x", "app/y"}
    assert case.of("none/*.tar", to="/app/", tree=tree, unpack=True, optional=True).keys() <= {"app"}
    with pytest.raises(UserError, match="not found"):
        case.of("d/*.tar", to="/app/", tree=tree, unpack=True)


def test_unpack_takes_no_doublestar() -> None:
    with pytest.raises(SourceError) as caught:
        lowered(body(copying("**/*.tar", to="/app/", unpack=True)))
    found = caught.value.diagnostic
    assert (found.code, found.notes[0][1]) == ("E0309", "name the directories: `*/*.tar`")
    assert found.span is not None
    assert found.span.line == 9


# The op itself


def test_one_statement_is_one_op() -> None:
    made = lowered(body(copying("a", "b/*", "c", to="/app/", source=OTHER)))
    assert len([vertex for vertex in vertices(made) if isinstance(vertex.op, FileOp)]) == 1
    assert (
        last(made).name == '[web 2/2] copy "a", "b/*", "c" from git("https://example.com/r.git") to "/app/"'
    )


def test_the_op_of_a_plain_copy() -> None:
    made = lowered(body(copying("src", to="/app/")))
    context = State.local("context", follow_paths=["src"], shared_key="context")
    chain = copy(context, "/src", "/app/", create_dest_path=True, owner=(0, 0))
    assert last(made).op == State.image(BASE).file(chain).edge.vertex.op  # type: ignore[union-attr]


def test_names_are_looked_up_in_the_state_below() -> None:
    (action,) = actions(lowered(body(copying("a", to="/", owner="app:www"))))
    assert action.owner == ChownOpt(NamedUser("app", 0), NamedUser("www", 0))


@pytest.mark.parametrize("options", [{"link": True}, {}])
def test_names_need_something_below(options: Any) -> None:
    base = scratch() if not options else None
    with pytest.raises(SourceError, match='`owner="app"` names nobody') as caught:
        lowered(body(copying("a", to="/", owner="app", **options), base=base))
    assert caught.value.diagnostic.code == "E0515"


def test_link_is_laid_over_what_is_below() -> None:
    made = lowered(body(run("a"), copying("file", to="/app/", link=True, mode=0o600)))
    merged = last(made)
    assert merged.op == MergeOp((0, 1))
    layer = merged.inputs[1].vertex
    assert isinstance(layer.op, FileOp)
    assert layer.op.actions[0].input == -1
    assert merged.inputs[0].vertex.name == "[web 2/3] run a"
    assert merged.name == layer.name == '[web 3/3] copy "file" to "/app/", mode=0o600, link=true'
    below = lowered(body(run("b"), copying("file", to="/app/", link=True, mode=0o600)))
    assert last(below).inputs[1].vertex == layer


# What is read of directories


def attrs(*made: Any) -> dict[str, str]:
    (op,) = {
        vertex.op
        for vertex in vertices(*made)
        if isinstance(vertex.op, SourceOp) and "local:" in vertex.op.identifier
    }
    assert isinstance(op, SourceOp)
    return dict(op.attrs)


def test_what_is_read_is_what_all_bodies_use() -> None:
    one = body(copying("src/**/*.py", "we\\*ird", "docs/*.md", to="/"), title="one")
    two = body(run("a", BindMount(CONTEXT, "/m", "/data", False)), title="two")
    assert attrs(*lowered_all(one, two)) == {
        "local.followpaths": '["data","docs/*.md","src","we\\\\*ird"]',
        "local.sharedkeyhint": "context",
    }


@pytest.mark.parametrize("source", [".", "/", "**/*.py"])
def test_all_of_it(source: str) -> None:
    made = lowered(body(copying("a", to="/"), copying(source, to="/app/")))
    assert "local.followpaths" not in attrs(made)


def test_a_state_that_starts_from_a_directory_is_read_through() -> None:
    passed = body(base=CONTEXT, title="passed")
    assert attrs(lowered(body(copying("a", to="/", source=built(passed)))))["local.followpaths"] == '["a"]'
    used = body(User("x"), run("a"), base=CONTEXT, title="used")
    assert "local.followpaths" not in attrs(lowered(body(copying("a", to="/", source=built(used)))))
    assert "local.followpaths" not in attrs(lowered(passed))
    merged = Merge(None, (scratch(), CONTEXT))
    assert "local.followpaths" not in attrs(lowered(body(copying("a", to="/", source=merged))))


def test_patterns_of_a_directory() -> None:
    directory = Directory(None, "/data", "local:data", exclude=("*.o", "!x.o"), include=("src",))
    made = lowered(body(copying("a", to="/", source=directory)))
    assert attrs(made)["local.excludepatterns"] == '["*.o","!x.o"]'
    assert attrs(made)["local.includepattern"] == '["src"]'


def test_a_copy_from_nothing_fails_when_it_runs() -> None:
    (action,) = actions(lowered(body(copying("a", to="/", source=scratch()))))
    assert isinstance(action, Copy)
    assert action.src == "/a"
