"""Second builds: nothing is compiled when nothing changed, and no change is missed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest
from tests.language.project import Project
from tests.language.replaying import afresh, edit, replayed, state
from tests.replay.project import SETTLE_SECONDS

pytestmark = [pytest.mark.root, pytest.mark.crun]


TEXT = """
use "./lib/module.pybuild" as mod

param word: str = "word"

let listed = ", ".join(glob("parts/**/*.x"))
let title = read("title")

default a

def files() -> str:
    return "${{word}} | ${{listed}} | ${{title}} | ${{mod.value}} | ${{vcs.commit}} ${{vcs.tag}} ${{vcs.branch}}"

target a:
    from scratch
    copy "src" to "/src", exclude=["*.skip"]
    copy "*.opt" to "/", optional=true
    write files() to "/values"
    output "/" to "out", clean=true
"""
FILES = {
    "lib/module.pybuild": '# syntax=pybuild:1\n\nlet value = read("text")\n',
    "lib/text": "module-text",
    "parts/a.x": "",
    "parts/d/b.x": "",
    "parts/other": "",
    "title": "title",
    "src/one": "one",
    "src/deep/two": "two",
    ".gitignore": "out\n",
}


@pytest.fixture
def built(project: Project) -> Project:
    """A project in a repository, built until builds are replayed."""
    project.write(TEXT, FILES)
    project.git("init", "-q", "-b", "trunk")
    project.git("add", ".")
    project.git("commit", "-qm", "first")
    replayed(project)
    return project


def rename(project: Project, old: str, new: str) -> None:
    (project.directory / old).rename(project.directory / new)


def edited_unseen(project: Project) -> None:
    project.put({"src/one": "eno"})
    there = os.stat(project.directory / "src" / "deep" / "two").st_mtime_ns
    os.utime(project.directory / "src" / "one", ns=(1, there))


def file_in_place_of_directory(project: Project) -> None:
    rename(project, "src/deep", "gone")
    project.put({"src/deep": "file"})


def link_in_place_of_file(project: Project) -> None:
    project.put({"other-title": "from a link"})
    (project.directory / "title").unlink()
    (project.directory / "title").symlink_to("other-title")


CHANGES: dict[str, Callable[[Project], object]] = {
    "a source file": lambda p: p.put({"src/one": "ONE"}),
    "a source file of the same size and time": edited_unseen,
    "a new source file": lambda p: p.put({"src/three": "three"}),
    "a new source file, deep": lambda p: p.put({"src/deep/er/three": "three"}),
    "a source file that goes": lambda p: (p.directory / "src" / "deep" / "two").unlink(),
    "a source file's mode": lambda p: (p.directory / "src" / "one").chmod(0o700),
    "a directory renamed": lambda p: rename(p, "src/deep", "src/deeper"),
    "a file in place of a directory": file_in_place_of_directory,
    "a first match of an optional pattern": lambda p: p.put({"new.opt": "opt"}),
    "the build file": lambda p: edit(p, "build.pybuild", '"/values"', '"/renamed"'),
    "the build file's default": lambda p: edit(p, "build.pybuild", '= "word"', '= "drow"'),
    "a new file of a glob": lambda p: p.put({"parts/c.x": ""}),
    "a new file of a glob, deep": lambda p: p.put({"parts/new/er/c.x": ""}),
    "a new file of a glob in a known directory": lambda p: p.put({"parts/d/c.x": ""}),
    "a file of a glob that goes": lambda p: (p.directory / "parts" / "d" / "b.x").unlink(),
    "a file of a glob renamed": lambda p: rename(p, "parts/a.x", "parts/z.x"),
    "a file that is read": lambda p: p.put({"title": "TITLE"}),
    "a file that is read, replaced by a link": link_in_place_of_file,
    "the module": lambda p: edit(p, "lib/module.pybuild", 'read("text")', '"literal"'),
    "a file that the module reads": lambda p: p.put({"lib/text": "changed"}),
    "an ignore file": lambda p: p.put({".dockerignore": "src/one\n"}),
    "an ignore file of globs": lambda p: p.put({".dockerignore": "parts/d\n"}),
    "an ignore file of the module": lambda p: p.put({"lib/.dockerignore": "text\n"}),
    "an ignore file that says nothing": lambda p: p.put({".dockerignore": "# nothing\n"}),
    "a commit": lambda p: p.git("commit", "-q", "--allow-empty", "-m", "second"),
    "an amended commit": lambda p: p.git("commit", "-q", "--amend", "-m", "other"),
    "a tag": lambda p: p.git("tag", "v1"),
    "an annotated tag": lambda p: p.git("tag", "-a", "v1", "-m", "v1"),
    "a tag of several parts": lambda p: p.git("tag", "releases/v1"),
    "another branch": lambda p: p.git("checkout", "-q", "-b", "side"),
    "a detached head": lambda p: p.git("checkout", "-q", "--detach"),
    "packed references": lambda p: (p.git("tag", "v2"), p.git("pack-refs", "--all", "--prune")),
    "no repository": lambda p: rename(p, ".git", "was-git"),
    "an output that goes": lambda p: (p.directory / "out" / "values").unlink(),
    "an output that is edited": lambda p: p.put({"out/values": "edited"}),
    "an ambiguous build file": lambda p: p.put({"Dockerfile": "FROM scratch\n"}),
    "a project file": lambda p: p.put({"pybuild.toml": "[params]\n"}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_noticed(built: Project, change: str) -> None:
    """By the very next build, and again by the one after that."""
    CHANGES[change](built)
    time.sleep(SETTLE_SECONDS)
    done = built.build(code=None)
    found = state(built) if done.code == 0 else {"error": done.err.rpartition("error")[2]}
    expected = afresh(built)
    assert found == expected
    done = built.settled(code=None)
    found = state(built) if done.code == 0 else {"error": done.err.rpartition("error")[2]}
    assert found == expected


@pytest.mark.parametrize("change", ["a source file", "a new file of a glob", "the module", "a commit"])
def test_a_change_that_is_undone(built: Project, change: str) -> None:
    before = state(built)
    CHANGES[change](built)
    built.settled()
    built.git("reset", "-q", "--hard", "HEAD@{0}" if change != "a commit" else "HEAD~1")
    built.git("clean", "-qfd", "parts")
    built.settled()
    assert state(built) == before


def test_params_of_the_environment(built: Project) -> None:
    replayed(built)
    built.settled(PYBUILD_PARAM_word="env")
    assert built.text("out/values").startswith("env |")
    replayed(built, PYBUILD_PARAM_word="env")
    built.settled()
    assert built.text("out/values").startswith("word |")


def test_params_of_files(built: Project) -> None:
    built.put({"p.toml": 'word = "one"\n'})
    replayed(built, "--params=p.toml")
    built.put({"p.toml": 'word = "two"\n'})
    built.settled("--params=p.toml")
    assert built.text("out/values").startswith("two |")
    (built.directory / "p.toml").unlink()
    assert built.settled("--params=p.toml", code=2).code == 2


def test_edits_in_the_tick_of_the_build(project: Project) -> None:
    """What is younger than the clock's grain is never taken for known."""
    project.write(TEXT, FILES)
    for round in range(6):
        project.put({"title": f"title {round}", "src/one": f"one {round}", f"parts/{round}.x": ""})
        project.build()
        assert f"title {round}" in project.text("out/values")
        assert f"parts/{round}.x" in project.text("out/values")
        assert project.text("out/src/one") == f"one {round}"


def test_links_that_lead_elsewhere(project: Project) -> None:
    """A directory that is reached by a link: files of the same state may stand at the other end."""
    text = """
target a:
    from scratch
    write read("link/file") + ",".join(glob("link/*.x")) + ",".join(glob("*/deep/*")) to "/values"
    copy "link/file" to "/copied"
    copy "." from local("place") to "/place"
    output "/" to "out", clean=true
"""
    files = {
        "one/file": "1",
        "two/file": "2",
        "one/a.x": "",
        "two/b.x": "",
        "one/deep/d1": "",
        "two/deep/d2": "",
    }
    project.write(text, files)
    for name in ("link", "place"):
        (project.directory / name).symlink_to("one")
    replayed(project)
    for name, target, expected in (("link", "two", "2"), ("place", "two", "2"), ("link", "one", "1")):
        (project.directory / name).unlink()
        (project.directory / name).symlink_to(target)
        project.settled()
        assert state(project) == afresh(project)
        place = "copied" if name == "link" else "place/file"
        assert project.text(f"out/{place}") == expected
        replayed(project)


def test_links_of_links(project: Project) -> None:
    project.write(
        """
target a:
    from scratch
    write read("first/sub/file") to "/values"
    output "/" to "out", clean=true
""",
        {"real/one/file": "1", "real/two/file": "2"},
    )
    (project.directory / "first").symlink_to("second")
    (project.directory / "second").symlink_to("real")
    (project.directory / "real" / "sub").symlink_to("one")
    replayed(project)
    (project.directory / "real" / "sub").unlink()
    (project.directory / "real" / "sub").symlink_to("two")
    project.settled()
    assert project.text("out/values") == "2"
    replayed(project)
    (project.directory / "second").unlink()
    project.put({"other/sub/file": "3"})
    (project.directory / "second").symlink_to("other")
    project.settled()
    assert project.text("out/values") == "3"


def test_a_module_that_appears(project: Project) -> None:
    project.write(
        'target a:\n    from scratch\n    write ",".join(glob("**/*.x")) to "/v"\n    output "/v" to "out/v"\n'
    )
    replayed(project)
    assert project.text("out/v") == ""
    project.put({"new/er/a.x": ""})
    project.settled()
    assert project.text("out/v") == "new/er/a.x"
