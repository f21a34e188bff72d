"""What a build depends on, changed one after the other: no replay, and what comes out is what the ordinary path
makes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.replay.project import DOCKERFILE, Project
from tests.runtime.registry.images import Image, tar, write_layout

Change = Callable[[Project], object]

FILES: dict[str, Change] = {
    "content": lambda p: p.write({"single": "edited"}),
    "content of the same size": lambda p: p.write({"single": "elgnis"}),
    "content with its times put back": lambda p: _edit_keeping_times(p.context / "single"),
    "mode": lambda p: (p.context / "tree/a").chmod(0o600),
    "mode of a directory": lambda p: (p.context / "tree/sub").chmod(0o700),
    "name": lambda p: (p.context / "tree/a").rename(p.context / "tree/c"),
    "link target": lambda p: _link(p.context / "tree/sym", "sub"),
    "target of a link that is followed": lambda p: _link(p.context / "link", "target2"),
    "content behind a link": lambda p: p.write({"target": "other"}),
    "more files": lambda p: p.write({"tree/more": "more"}),
    "more directories": lambda p: (p.context / "tree/sub/empty").mkdir(),
    "a file fewer": lambda p: (p.context / "tree/sub/b").unlink(),
    "a directory fewer": lambda p: shutil.rmtree(p.context / "tree/sub"),
    "a selected file fewer": lambda p: (p.context / "single").unlink(),
    "one more for a wildcard": lambda p: p.write({"wild/2.txt": "2"}),
    "one fewer for a wildcard": lambda p: (p.context / "wild/1.txt").unlink(),
    "a directory above a file": lambda p: _moved_behind_link(p, "deep", "elsewhere"),
    "a directory above a file, by an absolute link": lambda p: _moved_behind_link(
        p, "deep/er", str(p.context / "elsewhere")
    ),
    "a file for a directory": lambda p: _replace(p, "tree/sub", "tree/sub"),
    "attribute of a file": lambda p: os.setxattr(p.context / "tree/a", "user.mark", b"1"),
    "attribute of a directory": lambda p: os.setxattr(p.context / "tree/sub", "user.mark", b"1"),
    "output gone": lambda p: (p.place / "up/iid").unlink(),
    "output edited": lambda p: (p.place / "up/iid").write_text("x"),
}


def _replace(project: Project, old: str, new: str) -> None:
    path = project.context / old
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    project.write({new: ""})


def _edit_keeping_times(path: Path) -> None:
    before = path.stat()
    path.write_text("elgnis")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _link(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


def _moved_behind_link(project: Project, name: str, target: str) -> None:
    (project.context / name).rename(project.context / "elsewhere")
    (project.context / name).symlink_to(target)


@pytest.mark.parametrize("change", FILES.values(), ids=FILES)
def test_changed_files_are_built_from_the_plan(project: Project, change: Change) -> None:
    project.recorded()
    try:
        change(project)
    except OSError:
        pytest.skip("no user attributes on this file system")
    assert project.judged().path == "rebuild"


COMMANDS: dict[str, Change] = {
    "words": lambda p: p.words.append("--label=a=b"),
    "variable": lambda p: p.variables.update(SOURCE_DATE_EPOCH="1700000000"),
    "named build argument": lambda p: p.variables.update(MARK="given"),
    "proxy": lambda p: p.variables.update(HTTPS_proxy="http://proxy"),
    "lower-case proxy": lambda p: p.variables.update(no_proxy="localhost"),
    "configuration of pybuild": lambda p: p.variables.update(PYBUILD_ANYTHING="1"),
    "configuration of BuildKit": lambda p: p.variables.update(BUILDKIT_PROGRESS="plain"),
    "configuration of Docker": lambda p: p.variables.update(DOCKER_CONFIG="/nowhere"),
    "home": lambda p: p.variables.update(HOME=str(p.place)),
    "certificates": lambda p: p.variables.update(SSL_CERT_FILE="/nowhere"),
    "search path": lambda p: p.variables.update(PATH=os.environ["PATH"] + ":/nowhere"),
    "build file": lambda p: p.write({"Dockerfile": DOCKERFILE + "LABEL x=y\n"}),
    "build file gone": lambda p: (p.context / "Dockerfile").unlink(),
    "ignore file": lambda p: p.write({".dockerignore": "tree/sub\n"}),
    "ignore file of the build file": lambda p: p.write({"Dockerfile.dockerignore": "tree/a\n"}),
    "project file": lambda p: p.write({"pybuild.toml": '[build.args]\nMARK = "toml"\n'}),
    "project file above": lambda p: (p.place / "up/pybuild.toml").write_text(""),
    "user's configuration": lambda p: _user_file(p).write_text(""),
    "a build file of another kind": lambda p: p.write({"build.pybuild": ""}),
    "a Python module": lambda p: p.write({"build.py": "# syntax=python:1\n"}),
    "context is another": lambda p: p.words.append("../other"),
}


def _user_file(project: Project) -> Path:
    path = project.home / ".config/pybuild/config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@pytest.mark.parametrize("change", COMMANDS.values(), ids=COMMANDS)
def test_a_changed_command_takes_the_ordinary_path(project: Project, change: Change) -> None:
    project.words.append("--build-arg=MARK")
    project.recorded()
    change(project)
    assert project.judged().path == "ordinary"


def test_what_means_the_same_is_replayed(project: Project) -> None:
    project.write(
        {".dockerignore": "ignored\nvolatile*\n!volatile/kept\n", "ignored/x": "", "volatile/x": ""}
    )
    first = project.settled()
    project.variables.update(UNRELATED="1", PWD="/")
    project.write({"ignored/y": "", "unused": "edited", "volatile/y": ""})
    again = project.build()
    assert (again.path, again.out) == ("replay", first.out)


def test_working_directory(project: Project) -> None:
    project.words = ["-q", str(project.context)]
    project.settled()
    project.cwd = project.place
    assert project.judged().path == "ordinary"


def test_ignore_files_that_go_away(project: Project) -> None:
    project.write({".dockerignore": "tree/a\n", "Dockerfile.dockerignore": "tree/sub\n"})
    project.settled()
    (project.context / "Dockerfile.dockerignore").unlink()
    assert project.judged().path == "ordinary"
    (project.context / ".dockerignore").unlink()
    assert project.judged().path == "ordinary"


EXCEPTIONS: dict[str, Change] = {
    "an exception in an ignored directory": lambda p: p.write({"all/dir/kept": ""}),
    "an exception in an ignored directory that appears": lambda p: p.write({"all/far/kept": ""}),
    "a directory with an exception in the place of an ignored file": lambda p: _replace(
        p, "all/file", "all/file/kept"
    ),
}


@pytest.mark.parametrize("change", EXCEPTIONS.values(), ids=EXCEPTIONS)
def test_exceptions_below_what_is_ignored(project: Project, change: Change) -> None:
    project.write(
        {
            "Dockerfile": "FROM scratch\nCOPY all /\n",
            ".dockerignore": "all/*\n!all/*/kept\n!all/plain\n",
            "all/plain": "",
            "all/dir/other": "",
            "all/file": "",
        }
    )
    project.settled()
    change(project)
    found = project.judged()
    assert found.path == "rebuild"
    assert any(name.endswith("/kept") for name in project.files(found.out))


def test_wildcards_behind_a_link(project: Project) -> None:
    project.write({"Dockerfile": "FROM scratch\nCOPY short/*/x* /\n", "a/b/c/one/x1": "", "a/b/c/two/y": ""})
    (project.context / "short").symlink_to("a/b/c")
    project.settled()
    project.write({"a/b/c/two/x2": ""})
    found = project.judged()
    assert found.path == "rebuild"
    assert project.files(found.out) >= {"x1", "x2"}


def test_a_named_context_and_its_ignore_file(project: Project) -> None:
    named = project.place / "named"
    named.mkdir()
    (named / "one").write_text("")
    (named / "two").write_text("")
    project.write({"Dockerfile": "FROM scratch\nCOPY --from=more . /\n"})
    project.words.append("--build-context=more=../../named")
    project.settled()
    (named / "three").write_text("")
    assert project.judged().path == "rebuild"
    (named / ".dockerignore").write_text("two\n")
    found = project.judged()
    assert found.path == "ordinary"
    assert "two" not in project.files(found.out)
    (named / ".dockerignore").unlink()
    assert project.judged().path == "ordinary"
    shutil.rmtree(named)
    assert project.judged().path == "ordinary"


def test_an_image_layout_and_an_archive(project: Project) -> None:
    layout = project.place / "layout"
    one, two = Image(tar(file=b"one")), Image(tar(file=b"two"))
    write_layout(layout, one.blobs | two.blobs, one.entry)
    project.write({"Dockerfile": "FROM base\nCOPY single /\n"})
    project.words.append("--build-context=base=oci-layout://../../layout")
    project.settled()
    index = (layout / "index.json").read_text()
    (layout / "index.json").write_text(index.replace(one.manifest.digest, two.manifest.digest))
    assert project.judged().path == "ordinary"

    archive = project.place / "archive.tar"
    project.words[-1] = "--build-context=base=docker-archive:../../archive.tar"
    for mark in ("one", "two"):
        layered = "--build-context=base=oci-layout://../../layout"
        made = project.run("-q", "-o", f"type=docker,dest={archive}", f"--label=mark={mark}", layered)
        assert made.code == 0, made.err
        if mark == "one":
            project.settled()
    assert project.judged().path == "ordinary"


def test_the_files_of_a_host_command(project: Project, tmp_path: Path) -> None:
    command = tmp_path / "tool"
    command.write_text("#!/bin/sh\necho one\n")
    command.chmod(0o755)
    project.write({"Dockerfile": "FROM host\nCOPY single /\n"})
    project.words.append(f"--build-context=host=host:{command}")
    project.settled()
    command.write_text("#!/bin/sh\necho two\n")
    assert project.judged().path == "ordinary"


def test_an_image_that_another_build_names_anew(project: Project, tmp_path: Path, store: Path) -> None:
    other = Project(tmp_path / "other", store, project.package, ["--tag=base"])
    first = other.build()
    project.write({"Dockerfile": "FROM base\nCOPY target /t\n"})
    project.settled()
    other.write({"single": "other"})
    assert other.build().out != first.out
    assert project.judged().path == "ordinary"


def test_a_name_that_another_build_took(project: Project, tmp_path: Path, store: Path) -> None:
    project.words.append("--tag=mine")
    project.settled()
    other = Project(tmp_path / "other", store, project.package, ["--tag=mine"])
    other.write({"single": "other"})
    other.build()
    assert project.judged().path == "ordinary"


@pytest.mark.parametrize("which", ["manifest", "config", "layer"])
def test_a_blob_of_the_image(alone: Project, which: str) -> None:
    project = alone
    project.words.append("--tag=x")
    digest = project.settled().out.strip()
    manifest = project.json_blob(digest)
    gone = {
        "manifest": digest,
        "config": manifest["config"]["digest"],
        "layer": manifest["layers"][0]["digest"],
    }
    project.blob(gone[which]).unlink()
    assert project.build().path == "rebuild"
    assert project.blob(gone[which]).exists()


def test_prune(alone: Project) -> None:
    alone.settled()
    prune = [sys.executable, "-m", "pybuild", "prune", "--all", "--force"]
    subprocess.run(prune, env=alone.environment(), check=True, timeout=30)
    found = alone.build()
    assert (found.code, found.path) == (0, "ordinary")


def test_the_program_itself(project: Project, tmp_path: Path) -> None:
    own = tmp_path / "package"
    shutil.copytree(project.package, own)
    project.package = own
    project.settled()
    with open(own / "pybuild" / "lang" / "source.py", "a") as file:
        file.write("# changed\n")
    assert project.judged().path == "ordinary"
