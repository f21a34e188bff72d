"""Git repositories: the files of a commit, a kept repository, submodules."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from tests.runtime.sources.remote.conftest import FILES, TREE, Place, Repositories, git, kept, url
from tests.runtime.sources.remote.webserver import Web, dumb_git, smart_git

from pybuild.lang.diagnostics import UserError

pytestmark = pytest.mark.long

# Which files


def test_a_tree_is_root_s_with_two_modes_and_no_repository(place: Place, web: Web, commit: str) -> None:
    umask = os.umask(0o077)
    try:
        snapshot = place.fetch(git(url(web), "main"))
    finally:
        os.umask(umask)
    assert place.tree(snapshot) == TREE
    for path in TREE:
        found = os.lstat(place.real(snapshot, path))
        assert (found.st_uid, found.st_gid) == (0, 0)


def test_a_subdirectory_becomes_the_root(place: Place, web: Web, commit: str) -> None:
    snapshot = place.fetch(git(url(web), "main", subdir="sub/", keep_git_dir=True))
    assert place.tree(snapshot) == {
        path.removeprefix("sub/"): entry for path, entry in TREE.items() if path.startswith("sub/")
    }


def test_subdirectories_that_are_none(
    place: Place, web: Web, repositories: Repositories, commit: str
) -> None:
    repositories.commit("app", {"out": "-> /etc", "up": "-> sub"})
    for subdir, message in (
        ("nope", "no such directory"),
        ("a", "a is no directory"),
        ("out", "out is a symbolic link"),
        ("up/deep", "up is a symbolic link"),
    ):
        with pytest.raises(UserError, match=message):
            place.fetch(git(url(web), "main", subdir=subdir))


def test_a_commit_that_its_branch_has_left(
    place: Place, web: Web, repositories: Repositories, commit: str
) -> None:
    repositories.commit("app", {"later": "1"})
    with pytest.raises(UserError, match="expected checksum to match"):
        place.fetch(git(url(web), "main", checksum=commit))
    assert place.tree(place.fetch(git(url(web), "main", checksum=commit, fetch_by_commit=True))) == TREE


def test_an_empty_commit_is_an_empty_tree(place: Place, web: Web, repositories: Repositories) -> None:
    web.rules.append(smart_git(repositories.root))
    repositories.make("void", {})
    assert place.tree(place.fetch(git(url(web, "void")))) == {}


def test_attributes_of_the_repository_count_and_those_of_the_user_do_not(
    place: Place, web: Web, repositories: Repositories, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    web.rules.append(smart_git(repositories.root))
    repositories.make(
        "app", {".gitattributes": "dos eol=crlf\nbig filter=lfs\n", "dos": "x\n", "big": "pointer\n"}
    )
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        '[filter "lfs"]\n\tsmudge = echo smudged\n\trequired = true\n[core]\n\tautocrlf = true\n'
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    files = place.files(place.fetch(git(url(web))))
    assert files["dos"] == b"x\r\n"
    assert files["big"] == b"pointer\n"


def test_times_are_the_commit_s_if_asked_for(place: Place, web: Web, commit: str) -> None:
    snapshot = place.fetch(git(url(web), "main", mtime="commit", subdir="sub"))
    for path in ("deep", "deep/f", "link"):
        assert os.lstat(place.real(snapshot, path)).st_mtime == 1600000001
    assert time.time() - os.lstat(place.real(place.fetch(git(url(web), "main")), "a")).st_mtime < 60


def test_the_same_commit_is_the_same_snapshot_content(
    place: Place, web: Web, repositories: Repositories, commit: str, tmp_path: Path
) -> None:
    second = repositories.commit("app", {"a": "two\n", "b": "new\n"})
    identities = []
    for name, before in (("x", []), ("y", ["main~0", commit])):
        (tmp_path / name).mkdir()
        one = Place(tmp_path / name)
        for ref in before[1:]:
            one.fetch(git(url(web), ref))
        time.sleep(0.01)
        for keep in (False, True):
            snapshot = one.fetch(git(url(web), "main", keep_git_dir=keep))
            identities.append(one.snapshotter.identity(snapshot))
        assert kept(one, snapshot, "rev-parse", "HEAD") == second
        one.close()
    assert identities[:2] == identities[2:]


# A kept repository


def test_a_kept_repository_is_one_git_can_work_with(
    place: Place, web: Web, repositories: Repositories, commit: str
) -> None:
    repositories.tag("app", "v1.2", annotated=True)
    remote = url(web).replace("://", "://me:secret@")
    snapshot = place.fetch(git(remote, "v1.2", keep_git_dir=True))
    assert place.files(snapshot) == {
        path: data
        for path, (mode, data) in TREE.items()
        if mode & 0o100000 == 0o100000 and path != "sub/link"
    }
    assert kept(place, snapshot, "rev-parse", "HEAD") == commit
    assert kept(place, snapshot, "describe", "--dirty") == "v1.2"
    assert kept(place, snapshot, "status", "--porcelain") == ""
    assert kept(place, snapshot, "remote", "get-url", "origin") == url(web)
    assert kept(place, snapshot, "fsck", "--strict") == ""
    assert "secret" not in "".join(map(str, place.tree(snapshot).values()))
    branch = place.fetch(git(url(web), "main", keep_git_dir=True))
    assert kept(place, branch, "for-each-ref", "--format=%(refname)") == "refs/heads/main"


def test_a_kept_repository_of_a_later_commit_is_shallow(
    place: Place, web: Web, repositories: Repositories, commit: str
) -> None:
    second = repositories.commit("app", {"a": "two\n"})
    snapshot = place.fetch(git(url(web), second, keep_git_dir=True))
    assert kept(place, snapshot, "log", "--format=%H") == second
    assert kept(place, snapshot, "for-each-ref") == ""
    assert kept(place, snapshot, "fsck") == ""


def test_repositories_of_sha256(place: Place, web: Web, repositories: Repositories) -> None:
    web.rules.append(smart_git(repositories.root))
    commit = repositories.make("long", FILES, "sha256")
    assert len(commit) == 64
    assert place.tree(place.fetch(git(url(web, "long"), commit))) == TREE
    snapshot = place.fetch(git(url(web, "long"), "main", keep_git_dir=True))
    assert kept(place, snapshot, "rev-parse", "HEAD") == commit


# Submodules


@pytest.fixture
def nested(repositories: Repositories, web: Web) -> str:
    """`app` has `lib` as a submodule by a relative address, `lib` has `core`."""
    web.rules.append(smart_git(repositories.root))
    repositories.make("core", {"core.c": "core\n"})
    repositories.make("lib", {"lib.c": "lib\n"})
    repositories.make("app", FILES)
    for name, sub, path in (("lib", "core", "deps/core"), ("app", "lib", "lib")):
        tree = repositories.work / name
        repositories.run(tree, "submodule", "--quiet", "add", str(repositories.root / f"{sub}.git"), path)
        repositories.run(tree, "config", "-f", ".gitmodules", f"submodule.{path}.url", f"../{sub}.git")
        commit = repositories.commit(name, {})
    return commit


def test_submodules_are_there_to_the_last(place: Place, web: Web, nested: str) -> None:
    files = place.files(place.fetch(git(url(web), "main")))
    assert files["lib/lib.c"] == b"lib\n"
    assert files["lib/deps/core/core.c"] == b"core\n"
    assert not [path for path in files if path.endswith("/.git")]
    without = place.files(place.fetch(git(url(web), "main", skip_submodules=True)))
    assert not [path for path in without if path.startswith("lib/")]
    assert b"../lib.git" in without[".gitmodules"]
    part = place.files(place.fetch(git(url(web), "main", subdir="lib")))
    assert part["deps/core/core.c"] == b"core\n"


def test_submodules_of_a_kept_repository_have_theirs(place: Place, web: Web, nested: str) -> None:
    snapshot = place.fetch(git(url(web), "main", keep_git_dir=True))
    assert kept(place, snapshot, "submodule", "status", "--recursive").count("\n") == 1
    assert kept(place, snapshot, "status", "--porcelain") == ""
    assert kept(place, snapshot, "-C", "lib", "remote", "get-url", "origin") == url(web, "lib")


def test_submodules_by_a_server_that_serves_files(
    place: Place, web: Web, repositories: Repositories, nested: str
) -> None:
    web.rules[:] = [dumb_git(repositories.root)]
    files = place.files(place.fetch(git(url(web), "main")))
    assert files["lib/deps/core/core.c"] == b"core\n"


@pytest.mark.parametrize(
    "address", ["{root}/secret.git", "file://{root}/secret.git", "ext::sh -c touch% {root}/x"]
)
def test_submodules_can_t_reach_into_the_machine(
    place: Place, web: Web, repositories: Repositories, commit: str, address: str
) -> None:
    repositories.make("secret", {"secret": "s"})
    address = address.format(root=repositories.root)
    tree = repositories.work / "app"
    repositories.run(tree, "submodule", "--quiet", "add", str(repositories.root / "secret.git"), "mod")
    repositories.run(tree, "config", "-f", ".gitmodules", "submodule.mod.url", address)
    repositories.commit("app", {})
    with pytest.raises(UserError, match="failed to update submodules"):
        place.fetch(git(url(web), "main"))
    assert not (repositories.root / "x").exists()
    assert place.files(place.fetch(git(url(web), "main", skip_submodules=True)))["a"] == b"one\n"


def test_hooks_and_commands_of_a_repository_are_not_run(
    place: Place, web: Web, repositories: Repositories, nested: str, tmp_path: Path
) -> None:
    """A submodule whose update is a command, and a template directory with a hook, as an installation may have."""
    marker = tmp_path / "ran"
    tree = repositories.work / "app"
    repositories.run(tree, "config", "-f", ".gitmodules", "submodule.lib.update", f"!touch {marker}")
    repositories.commit("app", {})
    with pytest.raises(UserError, match="failed to update submodules"):
        place.fetch(git(url(web), "main"))
    assert not marker.exists()
