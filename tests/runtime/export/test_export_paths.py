"""Paths of a result written into a project, by the rules of the language's `output`."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybuild.lang.diagnostics import Cancelled, UserError
from pybuild.lang.dockerfile.ignore import Matcher
from pybuild.runtime.content.store import Store
from pybuild.runtime.export.beneath import OutsideProject
from pybuild.runtime.export.destination import ExportError
from pybuild.runtime.export.paths import export_paths
from pybuild.runtime.export.selecting import NoSuchPath
from pybuild.runtime.snapshots.overlay import OverlaySnapshotter
from pybuild.runtime.snapshots.tree import DirectoryTree
from pybuild.runtime.sources.local import LocalTree
from pybuild.runtime.sources.statcache import StatCache

STATE = {
    "app": "binary",
    "site/index.html": "<p>",
    "site/css/main.css": "p{}",
    "src/a.py": "a",
    "src/.hidden.py": "h",
    "src/sub/b.py": "b",
    "src/sub/deep/c.py": "c",
    "src/sub/note.txt": "n",
    "libs/one/package.json": "1",
    "libs/two/package.json": "2",
    "we[i]rd": "w",
    "link": "-> site",
    "latest": "-> app",
}


class Project:
    def __init__(self, directory: Path) -> None:
        self.state = directory / "state"
        self.root = directory / "project"
        self.outside = directory / "outside"
        for one in (self.state, self.root, self.outside):
            one.mkdir()
        put(self.state, STATE)

    def export(self, *sources: str, to: str, clean: bool = False) -> list[str]:
        tree = DirectoryTree(os.fsencode(self.state))
        written = export_paths(tree, sources, f"{self.root}/{to}", clean=clean, root=str(self.root))
        assert all(path.startswith(f"{self.root}") for path in written)
        assert all(os.path.lexists(path) for path in written)
        return [path.removeprefix(f"{self.root}/") for path in written]

    def files(self) -> dict[str, str]:
        return files(self.root)


def put(root: Path, entries: Mapping[str, str]) -> None:
    for name, text in entries.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("-> "):
            path.symlink_to(text[3:])
        else:
            path.write_text(text)


def files(root: Path) -> dict[str, str]:
    """Files and links below a directory, and directories with nothing in them."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = f"-> {os.readlink(path)}"
        elif path.is_file():
            found[name] = path.read_text()
        elif not any(path.iterdir()):
            found[name + "/"] = ""
    return found


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


SITE = {"index.html": "<p>", "css/main.css": "p{}"}


def at(directory: str, entries: Mapping[str, str]) -> dict[str, str]:
    return {f"{directory}/{name}": text for name, text in entries.items()}


@pytest.mark.parametrize(
    ("sources", "to", "expected"),
    [
        # The destination becomes the one source, or takes it under its name.
        (["/app"], "dist/app-linux", {"dist/app-linux": "binary"}),
        (["/app"], "dist/", {"dist/app": "binary"}),
        (["app"], "app", {"app": "binary"}),
        (["/app"], "./", {"app": "binary"}),
        (["/site"], "site", at("site", SITE)),
        (["/site"], "out/", at("out/site", SITE)),
        (["/app", "/site"], "out/", {"out/app": "binary", **at("out/site", SITE)}),
        # A slash at its end: the contents.
        (["/site/"], "out/", at("out", SITE)),
        (["/site/"], "out", at("out", SITE)),
        (["/site/."], "out", at("out", SITE)),
        (["/site/css/../"], "out", at("out", SITE)),
        (["/"], "all", at("all", STATE)),
        (["."], "all/", at("all", STATE)),
        # Patterns keep the path after their fixed part.
        (["/src/*.py"], "py/", {"py/a.py": "a", "py/.hidden.py": "h"}),
        (
            ["/src/**/*.py"],
            "py/",
            {"py/a.py": "a", "py/.hidden.py": "h", "py/sub/b.py": "b", "py/sub/deep/c.py": "c"},
        ),
        (["/src/sub/**"], "o/", {"o/b.py": "b", "o/deep/c.py": "c", "o/note.txt": "n"}),
        (["/src/**/deep"], "o/", {"o/sub/deep/c.py": "c"}),
        (["libs/*/package.json"], "o/", {"o/one/package.json": "1", "o/two/package.json": "2"}),
        (["libs/[ot]*/"], "o/", {"o/one/package.json": "1", "o/two/package.json": "2"}),
        (["*/css"], "o/", {"o/site/css/main.css": "p{}", "o/link/css/main.css": "p{}"}),
        (["s?te/index.html"], "o/", {"o/site/index.html": "<p>"}),
        (["we\\[i\\]rd"], "o/", {"o/we[i]rd": "w"}),
        (["we\\[i\\]rd"], "plain", {"plain": "w"}),
        # Links stay links, but on the way.
        (["/latest"], "o/", {"o/latest": "-> app"}),
        (["/link"], "o", {"o": "-> site"}),
        (["/link/"], "o", at("o", SITE)),
        (["/link/index.html"], "o/", {"o/index.html": "<p>"}),
        # A later source takes the place of an earlier one's file.
        (["libs/one/package.json", "libs/two/package.json"], "o/", {"o/package.json": "2"}),
    ],
)
def test_where_sources_go(project: Project, sources: list[str], to: str, expected: dict[str, str]) -> None:
    written = project.export(*sources, to=to)
    assert project.files() == expected
    assert sorted(written) == sorted(expected)


@pytest.mark.parametrize(
    ("sources", "to", "match"),
    [
        (["/app", "/site"], "out", "several files can't become one"),
        (["/src/*.py"], "out", "several files can't become one"),
        (["../app"], "out", "leads out of the root"),
        (["a/../../app"], "out", "leads out of the root"),
        (["/app/"], "out", "is not a directory in the result"),
        (["/src/[*.py"], "out/", "bad pattern"),
        (["/site", "/link/../app/"], "out/", "is not a directory"),
    ],
)
def test_what_is_refused(project: Project, sources: list[str], to: str, match: str) -> None:
    with pytest.raises(UserError, match=match):
        project.export(*sources, to=to)
    assert project.files() == {}


@pytest.mark.parametrize(
    ("source", "help"),
    [
        ("/ap", "did you mean `/app`?"),
        ("/site/indx.html", "did you mean `/site/index.html`?"),
        ("/stie/css/main.css", "did you mean `/site/css/main.css`?"),
        ("/stie/nothing", "did you mean `/site`?"),
        ("/app/below", "`/app` is not a directory"),
        ("/nothing-like-it", None),
        ("/src/*.c", None),
        ("/scr/*.py", "did you mean `/src`?"),
    ],
)
def test_what_is_not_there(project: Project, source: str, help: str | None) -> None:
    with pytest.raises(NoSuchPath) as caught:
        project.export("/app", source, to="out/")
    assert caught.value.source == source
    assert caught.value.diagnostic.code == "R0002"
    assert dict(caught.value.diagnostic.notes).get("help") == help
    assert list(project.root.iterdir()) == []


def test_files_are_replaced_and_none_deleted(project: Project) -> None:
    put(project.root, {"site/index.html": "old", "site/mine": "mine", "site/css": "a file", "dist/x": "x"})
    before = os.stat(project.root / "site").st_mode
    with open(project.root / "site" / "index.html") as held:
        project.export("/site", to="site")
        assert held.read() == "old", "replaced by another file, not written over"
    assert project.files() == {**at("site", SITE), "site/mine": "mine", "dist/x": "x"}
    assert os.stat(project.root / "site").st_mode == before


def test_a_link_is_replaced_not_followed(project: Project) -> None:
    put(project.outside, {"kept": "kept", "css/kept": "kept"})
    put(
        project.root,
        {"site/index.html": f"-> {project.outside}/kept", "site/css": f"-> {project.outside}/css"},
    )
    put(project.root, {"dist/app": f"-> {project.outside}/kept"})
    project.export("/site", to="site")
    project.export("/app", to="dist/app")
    assert project.files() == {**at("site", SITE), "dist/app": "binary"}
    assert files(project.outside) == {"kept": "kept", "css/kept": "kept"}


@pytest.mark.parametrize("link", ["{outside}", "../outside", "inner/../../outside", "{outside}/not-there"])
@pytest.mark.parametrize("to", ["way/", "way/deeper/", "way/app", "way"])
def test_no_link_leads_out(project: Project, link: str, to: str) -> None:
    put(project.root, {"inner/x": "x", "way": "-> " + link.format(outside=project.outside)})
    source = "/site" if to == "way" else "/app"
    with pytest.raises(OutsideProject, match="way is a link to") as caught:
        project.export(source, to=to)
    assert caught.value.diagnostic.code == "E0904"
    assert list(project.outside.iterdir()) == []
    assert not (project.outside / "not-there").exists()


@pytest.mark.parametrize("to", ["../outside/", "../project-too/x", "a/../../outside/app"])
def test_no_path_leads_out(project: Project, to: str) -> None:
    with pytest.raises(OutsideProject, match="must stay in the project"):
        project.export("/app", to=to)
    assert list(project.outside.iterdir()) == []


@pytest.mark.parametrize("link", ["inner", "{root}/inner", "other", "inner/../inner"])
def test_a_link_within_is_followed_to_a_destination(project: Project, link: str) -> None:
    put(project.root, {"inner/x": "x", "other": "-> inner", "way": "-> " + link.format(root=project.root)})
    project.export("/app", to="way/")
    project.export("/site", to="way")
    assert files(project.root / "inner") == {"x": "x", "app": "binary", **SITE}
    assert (project.root / "way").is_symlink()


def test_links_in_a_circle(project: Project) -> None:
    put(project.root, {"one": "-> two", "two": "-> one"})
    with pytest.raises(UserError, match="one"):
        project.export("/app", to="one/")


def test_an_exported_link_is_no_way_out_for_the_next_source(project: Project) -> None:
    put(project.state, {"trap/way": f"-> {project.outside}", "more/way/evil": "evil"})
    with pytest.raises(ExportError, match="one as a file and one as a directory"):
        project.export("/trap/", "/more/", to="out/")
    project.export("/trap/", to="out/")
    project.export("/more/", to="out/")
    assert files(project.outside) == {}
    assert (project.root / "out" / "way" / "evil").read_text() == "evil"


def test_a_root_reached_by_a_link(project: Project, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(project.root)
    tree = DirectoryTree(os.fsencode(project.state))
    export_paths(tree, ["/app"], f"{tmp_path}/alias/dist/app", clean=False, root=f"{tmp_path}/alias")
    assert project.files() == {"dist/app": "binary"}


def test_clean_empties_the_destination_alone(project: Project) -> None:
    put(project.root, {"site/old/file": "old", "site/index.html": "old", "beside": "kept"})
    project.export("/site", to="site", clean=True)
    assert project.files() == {**at("site", SITE), "beside": "kept"}
    project.export("/app", to="site/", clean=True)
    assert project.files() == {"site/app": "binary", "beside": "kept"}
    project.export("/app", to="site", clean=True)
    assert project.files() == {"site": "binary", "beside": "kept"}


def test_clean_follows_no_link(project: Project) -> None:
    put(project.outside, {"kept": "kept"})
    put(project.root, {"site/way": f"-> {project.outside}"})
    project.export("/site", to="site", clean=True)
    assert files(project.outside) == {"kept": "kept"}
    assert project.files() == at("site", SITE)


@pytest.mark.parametrize("to", ["", "./", ".", "a/../", "way/"])
def test_clean_never_empties_the_project(project: Project, to: str) -> None:
    put(project.root, {"precious": "kept", "way": "-> ."})
    with pytest.raises(UserError, match="would empty the whole project"):
        project.export("/site/", to=to, clean=True)
    assert project.files() == {"precious": "kept", "way": "-> ."}


@pytest.mark.parametrize("clean", [False, True])
def test_what_was_there_outlasts_a_missing_source(project: Project, clean: bool) -> None:
    put(project.root, {"site/index.html": "old", "site/mine": "mine"})
    with pytest.raises(NoSuchPath):
        project.export("/site/", "/missing", to="site/", clean=clean)
    assert project.files() == {"site/index.html": "old", "site/mine": "mine"}


@pytest.mark.root
@pytest.mark.parametrize("clean", [False, True])
def test_what_was_there_outlasts_a_full_disk(project: Project, clean: bool) -> None:
    mounted = project.root / "small"
    mounted.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", mounted], check=True)
    try:
        put(project.root, {"small/out/index.html": "old"})
        (project.state / "site" / "zz").write_bytes(b"x" * 200_000)
        with pytest.raises(ExportError, match="No space left") as caught:
            project.export("/site/", to="small/out/", clean=clean)
        assert "/proc/" not in str(caught.value)
        assert project.files() == {"small/out/index.html": "old"}
        with pytest.raises(ExportError):
            project.export("/site/", to="small/new/", clean=clean)
        assert not (mounted / "new").exists()
    finally:
        subprocess.run(["umount", mounted], check=True)


@pytest.mark.root
def test_clean_leaves_what_is_mounted_there(project: Project) -> None:
    put(project.root, {"out/deep/mnt/x": "x", "out/file": "kept"})
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", project.root / "out/deep/mnt"], check=True)
    try:
        with pytest.raises(ExportError, match="a file system is mounted"):
            project.export("/site/", to="out/", clean=True)
        assert "out/file" in project.files()
    finally:
        subprocess.run(["umount", project.root / "out/deep/mnt"], check=True)


def test_what_was_there_outlasts_a_failed_rename(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    put(project.root, {"out/a": "1", "out/b": "2", "out/css": "file"})
    real, count = os.rename, 0

    def failing(*args: object, **named: object) -> None:
        nonlocal count
        count += 1
        if count == 5:
            raise PermissionError(1, "Operation not permitted")
        real(*args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(ExportError, match="Operation not permitted"):
        project.export("/site/", to="out/", clean=True)
    assert count == 9
    assert project.files() == {"out/a": "1", "out/b": "2", "out/css": "file"}


def test_a_file_is_no_directory(project: Project) -> None:
    put(project.root, {"out": "a file", "full/x": "x"})
    with pytest.raises(ExportError, match="out is not a directory"):
        project.export("/app", to="out/")
    with pytest.raises(ExportError, match="full is a directory with files in it"):
        project.export("/app", to="full")
    put(project.state, {"mixed/a": "a", "mixed/full": "f"})
    with pytest.raises(ExportError, match="full is a directory with files in it"):
        project.export("/mixed/", to="./")
    assert project.files() == {"out": "a file", "full/x": "x"}, "nothing was put in place"


def test_modes_times_links_and_attributes(project: Project) -> None:
    state = project.state
    (state / "tools").mkdir()
    (state / "tools" / "run").write_text("#!")
    (state / "tools" / "run").chmod(0o4751)
    os.link(state / "tools" / "run", state / "tools" / "again")
    (state / "tools" / "empty").mkdir(mode=0o700)
    (state / "tools" / "empty").chmod(0o3770)
    os.mkfifo(state / "tools" / "pipe")
    os.setxattr(state / "tools" / "run", "user.note", b"kept")
    with open(state / "tools" / "sparse", "wb") as file:
        file.truncate(10 << 20)
    for path in (state / "tools" / "run", state / "tools" / "empty", state / "tools"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    (state / "tools").chmod(0o555)
    written = project.export("/tools", to="tools")
    assert written == ["tools/again", "tools/empty", "tools/run", "tools/sparse"]
    run, empty, tools = (os.stat(project.root / "tools" / name) for name in ("run", "empty", "."))
    assert stat.S_IMODE(run.st_mode) == 0o751, "a program runs as nobody else here"
    assert stat.S_IMODE(empty.st_mode) == 0o1770
    assert stat.S_IMODE(tools.st_mode) == 0o555
    assert run.st_mtime == empty.st_mtime == tools.st_mtime == 1_000_000_000
    assert (run.st_uid, run.st_gid) == (os.geteuid(), os.getegid())
    assert run.st_nlink == 2
    assert run.st_ino != os.stat(state / "tools" / "run").st_ino
    assert os.getxattr(project.root / "tools" / "run", "user.note") == b"kept"
    assert os.stat(project.root / "tools" / "sparse").st_blocks == 0
    (project.root / "tools").chmod(0o755)
    project.export("/tools/", to="tools/", clean=True)
    assert project.export("/tools", to="tools") == written


@pytest.mark.root
def test_devices_are_left_out_and_owners_are_the_builders(project: Project) -> None:
    os.mknod(project.state / "site" / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.chown(project.state / "site" / "index.html", 1234, 1234)
    project.export("/site", to="site")
    assert project.files() == at("site", SITE)
    assert os.stat(project.root / "site" / "index.html").st_uid == 0
    with pytest.raises(ExportError, match="neither a file nor a directory"):
        project.export("/site/null", to="out/")


def test_names_that_are_no_text(project: Project) -> None:
    (project.state / "odd").mkdir()
    Path(os.fsdecode(os.fsencode(project.state) + b"/odd/\xff\n")).write_text("odd")
    project.export("/odd", to="odd")
    assert os.listdir(os.fsencode(project.root) + b"/odd") == [b"\xff\n"]


@pytest.fixture
def low_recursion_limit() -> Iterator[int]:
    """The time of a deep tree grows with the square of its depth: with a low limit a small one is deep."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(400)
    yield 400
    sys.setrecursionlimit(before)


def test_depth_costs_no_stack(project: Project, low_recursion_limit: int) -> None:
    here = os.open(project.state, os.O_RDONLY)
    depth = low_recursion_limit + 100
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    for clean in (False, False, True):
        (written,) = project.export("/d", to="out/", clean=clean)
        assert written.count("/") == depth
    subprocess.run(["rm", "-rf", project.root, project.state], check=True)


def test_cancellation(project: Project) -> None:
    tree = DirectoryTree(os.fsencode(project.state))
    dest = f"{project.root}/out"
    with pytest.raises(Cancelled):
        export_paths(tree, ["/site"], dest, clean=False, root=str(project.root), cancelled=lambda: True)
    assert list(project.root.iterdir()) == []


names = st.sampled_from(["a", "b", "c"])
trees = st.recursive(
    st.sampled_from(["1", "2", "-> a", "-> ..", "-> /"]),
    lambda inner: st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
contents = st.dictionaries(names, trees, max_size=3)


def grow(root: Path, entries: Mapping[str, object]) -> None:
    root.mkdir(exist_ok=True)
    for name, value in entries.items():
        if isinstance(value, Mapping):
            grow(root / name, value)
        else:
            put(root, {name: str(value)})


def merged(old: object, new: object) -> object:
    """What is there afterwards, by definition; None for a refusal."""
    if not isinstance(new, Mapping):
        return None if isinstance(old, Mapping) and old else new
    if not isinstance(old, Mapping):
        return new
    out = dict(old)
    for name, value in new.items():
        out[name] = merged(old[name], value) if name in old else value
        if out[name] is None:
            return None
    return out


def shape(root: Path) -> object:
    if root.is_symlink():
        return f"-> {os.readlink(root)}"
    if root.is_dir():
        return {one.name: shape(one) for one in root.iterdir()}
    return root.read_text()


@settings(max_examples=60, deadline=None)
@given(contents, contents, st.booleans())
def test_merging_by_definition(
    tmp_path_factory: pytest.TempPathFactory, old: dict[str, object], new: dict[str, object], clean: bool
) -> None:
    place = tmp_path_factory.mktemp("merging")
    grow(place / "state", new)
    (place / "project").mkdir()
    grow(place / "project" / "out", old)
    expected = new if clean else merged(old, new)
    tree = DirectoryTree(os.fsencode(place / "state"))
    try:
        root = str(place / "project")
        export_paths(tree, ["/"], f"{root}/out/", clean=clean, root=root)
    except ExportError:
        assert expected is None
        expected = old
    assert shape(place / "project") == {"out": expected}


@pytest.mark.root
def test_a_state_in_layers(tmp_path: Path) -> None:
    """Nothing of the layers shows: no whiteouts, no marks, and what a later one removed is not there."""
    with Store.open(str(tmp_path / "store")) as store:
        snapshotter = OverlaySnapshotter(store)
        first = snapshotter.prepare(None)
        put(Path(os.fsdecode(first.upper)), {"out/a": "1", "out/b": "2", "out/sub/c": "3"})
        second = snapshotter.prepare(first.commit())
        put(Path(os.fsdecode(second.upper)), {"out/a": "new", "out/link": "-> a"})
        second.whiteout(b"out/b")
        os.mkdir(second.upper + b"/out/sub")
        second.set_opaque(b"out/sub")
        tree = snapshotter.tree(second.commit())
        root = tmp_path / "project"
        root.mkdir()
        export_paths(tree, ["/out/*"], f"{root}/", clean=False, root=str(root))
        export_paths(tree, ["/out"], f"{root}/all", clean=False, root=str(root))
        expected = {"a": "new", "link": "-> a", "sub/": ""}
        assert files(root) == {**expected, **at("all", expected)}
        assert all(not os.listxattr(path, follow_symlinks=False) for path in root.rglob("*"))
        snapshotter.close()


def test_a_local_directory(project: Project, tmp_path: Path) -> None:
    cache = StatCache(str(tmp_path / "stat"), os.fsencode(project.state))
    tree = LocalTree(os.fsencode(project.state), cache, ignored=Matcher(["site/css"]), selected=[])
    export_paths(tree, ["/"], f"{project.root}/all", clean=False, root=str(project.root))
    expected = {name: text for name, text in STATE.items() if not name.startswith("site/css")}
    assert project.files() == at("all", expected)
