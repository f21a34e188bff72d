"""What counts of the directories above the named one: whose it is, its mode, its repository."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pybuild.request import project
from pybuild.request.config import defaults
from pybuild.request.project import Project, is_here

OTHER = 1234
USER = 1000

pytestmark = pytest.mark.root


def shared(place: Path, *, mode: int = 0o1777) -> Path:
    """A directory for everyone with another user's `.git`; in it, a directory of root's."""
    (place / "shared" / ".git").mkdir(parents=True)
    os.chown(place / "shared" / ".git", OTHER, OTHER)
    (place / "shared").chmod(mode)
    (place / "shared" / "mine").mkdir()
    return place / "shared"


def test_another_users_repository_above(tmp_path: Path) -> None:
    parent = shared(tmp_path)
    one = Project(str(parent / "mine"))
    assert (one.root, one.in_repository, one.above) == (str(parent / "mine"), False, [])
    assert one.skipped == [f"{parent}/.git doesn't count: its directory can be written by everyone"]
    parent.chmod(0o755)
    (skipped,) = Project(str(parent / "mine")).skipped
    assert skipped == f"{parent}/.git doesn't count: it belongs to user {OTHER}"


def test_another_users_file_above_is_left_aside(tmp_path: Path) -> None:
    parent = shared(tmp_path)
    (parent / "pybuild.toml").write_text("push = true\n")
    (tmp_path / ".git").mkdir()
    found = defaults.load(str(parent / "mine"), None)
    assert found.wishes == {}
    assert [text.partition(" ")[0] for text in found.notices] == [f"{parent}/.git", f"{parent}/pybuild.toml"]
    parent.chmod(0o755)
    os.chown(parent / "pybuild.toml", OTHER, OTHER)
    assert defaults.load(str(parent / "mine"), None).wishes == {}
    os.chown(parent / "pybuild.toml", 0, 0)
    assert defaults.load(str(parent / "mine"), None).wishes == {"push": True}


def test_a_pipe_in_a_shared_directory_stops_nobody(tmp_path: Path) -> None:
    parent = shared(tmp_path)
    (tmp_path / ".git").mkdir()
    os.mkfifo(parent / "pybuild.toml")
    assert defaults.load(str(parent / "mine"), None).wishes == {}


def test_the_named_directory_counts_whoever_owns_it(tmp_path: Path) -> None:
    parent = shared(tmp_path)
    (parent / "pybuild.toml").write_text('target = "x"\n')
    os.chown(parent / "pybuild.toml", OTHER, OTHER)
    found = defaults.load(str(parent), None)
    assert (found.wishes, found.notices) == ({"targets": ("x",)}, [])
    assert Project(str(parent)).in_repository


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022])
@pytest.mark.parametrize("owner", [0, USER])
def test_a_checkout_made_with_any_umask(tmp_path: Path, umask: int, owner: int) -> None:
    """Also root over a checkout of another user."""
    before = os.umask(umask)
    try:
        (tmp_path / "repo" / ".git").mkdir(parents=True)
        (tmp_path / "repo" / "a" / "b").mkdir(parents=True)
        (tmp_path / "repo" / "pybuild.toml").write_text('target = "x"\n')
    finally:
        os.umask(before)
    for path in (tmp_path / "repo", *(tmp_path / "repo").rglob("*")):
        os.chown(path, owner, owner)
    found = defaults.load(str(tmp_path / "repo/a/b"), None)
    assert (found.wishes, found.notices) == ({"targets": ("x",)}, [])


def test_sudo_counts_as_its_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    (tmp_path / "repo" / "a").mkdir()
    for path in (tmp_path / "repo", tmp_path / "repo/.git"):
        os.chown(path, USER, USER)
    assert not Project(str(tmp_path / "repo/a")).in_repository
    monkeypatch.setenv("SUDO_UID", str(USER))
    assert Project(str(tmp_path / "repo/a")).in_repository
    monkeypatch.setattr(project, "UID", OTHER)
    assert not Project(str(tmp_path / "repo/a")).in_repository


def test_links_leave_the_project(tmp_path: Path) -> None:
    (tmp_path / "a" / "in").mkdir(parents=True)
    (tmp_path / "a" / "out").symlink_to("/etc")
    one = Project(str(tmp_path / "a"))
    assert one.holds(str(tmp_path / "a/in/new/file"))
    assert not one.holds(str(tmp_path / "a/out/new"))
    assert not one.holds(str(tmp_path / "a/../b"))
    assert not one.holds(str(tmp_path / "ab"))


def test_a_link_is_the_project_that_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "repo" / "link").symlink_to("../elsewhere")
    assert Project(str(tmp_path / "repo/link")).root == str(tmp_path / "elsewhere")


def test_the_same_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    for name in ("repo/a", "repo/nested/.git", "repo/nested/b", "other", "repo/a/c"):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
    (tmp_path / "repo/link").symlink_to("../other")
    monkeypatch.chdir(tmp_path / "repo/a")
    assert all(map(is_here, [".", "c", "..", "../a", str(tmp_path / "repo")]))
    assert not any(map(is_here, ["../nested", "../nested/b", "../../other", "../link", "../.."]))
    monkeypatch.chdir(tmp_path / "other")
    assert is_here(".")
    assert not is_here("../repo")
    monkeypatch.chdir(tmp_path)
    assert not is_here("other")


def test_in_another_users_repository_only_the_directory_itself_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = shared(tmp_path)
    (parent / "theirs").mkdir()
    monkeypatch.chdir(parent)
    assert is_here(".")
    assert not is_here("theirs")


@pytest.mark.user
def test_an_ordinary_user_in_a_shared_directory(monkeypatch: pytest.MonkeyPatch, ordinary_user: int) -> None:
    """What root has left above counts, what a third user has left does not."""
    monkeypatch.setattr(project, "UID", ordinary_user)
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        mine = Path(place, "mine")
        for path, owner in ((mine, ordinary_user), (Path(place, ".git"), OTHER)):
            path.mkdir()
            os.chown(path, owner, owner)
        assert as_user(ordinary_user, lambda: Project(str(mine)).root == str(mine))
        os.chown(Path(place, ".git"), 0, 0)
        assert as_user(ordinary_user, lambda: Project(str(mine)).root == place)


def as_user(uid: int, holds: Callable[[], bool]) -> bool:
    """Whether something holds in a process of this user."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            code = int(not holds())
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
