"""Outputs never write what git runs, or what later builds run or obey."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.language.project import Project, git

from pybuild.lang.diagnostics import UsageError
from pybuild.language.lock import Lock
from pybuild.runtime.export.protected import ProtectedFiles, ProtectedPath

pytestmark = pytest.mark.root

ANY = (".git/hooks/pre-commit", ".GIT/config", "a/.Git", "sub/.git/x")
NAMES = ("pybuild.toml", "sub/PyBuild.toml", "pybuild.lock", "build.py", "d/build.py")


def target(dest: str) -> str:
    return f'target a:\n    from scratch\n    write "x" to "/d/f"\n    output "/d/f" to "{dest}"\n'


@pytest.mark.parametrize("name", [*ANY, *NAMES])
def test_names(tmp_path: Path, name: str) -> None:
    protected = ProtectedFiles([str(tmp_path)], [])
    with pytest.raises(ProtectedPath):
        protected.refuse(f"{tmp_path}/{name}")


@pytest.mark.parametrize("name", ["dist/app", "a.git/x", ".github/workflows", ".gitignore", "build.py.txt"])
def test_names_like_them(tmp_path: Path, name: str) -> None:
    protected = ProtectedFiles([str(tmp_path)], [])
    protected.refuse(f"{tmp_path}/{name}")
    protected.refuse(f"/elsewhere/{name}")
    protected.refuse("/elsewhere/.git/config")  # no project


def test_places_that_git_files_name(tmp_path: Path) -> None:
    """The repository of a linked work tree, and one that lies apart."""
    main, apart = tmp_path / "main", tmp_path / "apart"
    main.mkdir()
    git(main, "init", "-q")
    git(main, "commit", "-q", "--allow-empty", "-m", "one")
    git(main, "worktree", "add", "-q", str(tmp_path / "tree"))
    (tmp_path / "work").mkdir()
    git(tmp_path / "work", "init", "-q", f"--separate-git-dir={apart}")
    protected = ProtectedFiles([str(tmp_path / "tree"), str(tmp_path / "work")], [])
    for path in (
        main / ".git" / "hooks" / "x",
        main / ".git" / "worktrees" / "tree" / "HEAD",
        apart / "config",
    ):
        with pytest.raises(ProtectedPath):
            protected.refuse(str(path))


def test_files_that_are_built(project: Project) -> None:
    for name, dest in (
        ("build.pybuild", "build.pybuild"),
        ("module", "lib/mod.pybuild"),
        ("link", "to/hooks/x"),
    ):
        project.put({"lib/mod.pybuild": "# syntax=pybuild:1\n\nlet v = 1\n", ".git/HEAD": ""})
        if not (project.directory / "to").is_symlink():
            (project.directory / "to").symlink_to(".git")
        project.write('use "./lib/mod.pybuild" as mod\n\n' + target(dest))
        before = (project.directory / "build.pybuild").read_bytes()
        outcome = project.build(code=None)
        assert outcome.code == 1, name
        assert "no output may write" in outcome.err
        assert (project.directory / "build.pybuild").read_bytes() == before
        assert not (project.directory / ".git" / "hooks").exists()


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/.git/hooks/x", ("-o", ".")),
        ("/in/.git/x", ("-o", "new")),
        ("/x", ("-o", ".git/hooks")),
        ("/hooks/x", ("-o", "to")),
        ("/Dockerfile", ("-o", ".")),
        ("/pybuild.toml", ("-o", "type=local,dest=deep/er")),
        ("/x", ("-o", "type=tar,dest=.git/hooks/pre-commit")),
        ("/x", ("-o", "type=oci,dest=pybuild.toml")),
        ("/x", ("-o", "type=oci,dest=.git/x,tar=false")),
        ("/x", ("--iidfile", ".git/HEAD")),
        ("/x", ("--metadata-file", "build.py")),
    ],
)
def test_every_kind_of_output(project: Project, path: str, words: tuple[str, ...]) -> None:
    git(project.directory, "init", "-q")
    project.put({"Dockerfile": f"FROM scratch\nCOPY f {path}\n", "f": "new"})
    (project.directory / "to").symlink_to(".git")
    before = state(project.directory)
    outcome = project.run("build", *words, ".", code=None)
    assert outcome.code == 1
    assert "no output may write" in outcome.err
    assert state(project.directory) == before


def test_a_directory_outside_of_projects(project: Project) -> None:
    project.put({"Dockerfile": "FROM scratch\nCOPY f /.git/x\nCOPY f /build.py\n", "f": "new"})
    project.run("build", "-o", str(project.place / "elsewhere"), ".")
    assert (project.place / "elsewhere" / ".git" / "x").exists()


def test_a_file_that_is_only_read_may_be_written(project: Project) -> None:
    text = target("version").replace('write "x"', 'write read("version")')
    project.write(text, {"version": "1"})
    project.build()
    project.build()


def test_links_that_leave_the_project(project: Project) -> None:
    """`fmt` and the lock file don't write through them; through others they do."""
    text = "# syntax=pybuild:1\n\ntarget  a:\n    from scratch\n"
    for where, refused in ((project.directory / "inside", False), (project.place / "outside", True)):
        where.write_text(text)
        for name in ("build.pybuild", "pybuild.lock"):
            (project.directory / name).unlink(missing_ok=True)
            (project.directory / name).symlink_to(where)
        outcome = project.run("fmt", code=None)
        assert ("isn't written: it is a link to" in outcome.err) is refused
        assert (where.read_text() == text) is refused
        lock = Lock(str(project.directory / "pybuild.lock"))
        lock.put("image", "a", "sha256:" + "0" * 64)
        where.write_text("version = 1\n")
        if refused:
            with pytest.raises(UsageError, match="is a link to"):
                lock.save()
        else:
            lock.save()
        assert (where.read_text() == "version = 1\n") is refused


def state(directory: Path) -> dict[str, bytes]:
    files = [path for path in directory.rglob("*") if path.is_file()]
    return {os.path.relpath(path, directory): path.read_bytes() for path in files}
