"""Git repositories: which commit an op stands for, and its key."""

from __future__ import annotations

import pytest
from tests.runtime.sources.remote.conftest import Place, Repositories, git, resolved, url
from tests.runtime.sources.remote.webserver import Web

from pybuild.lang.diagnostics import UserError, render
from pybuild.runtime.sources.gitrepository import FetchError


def test_refs_of_every_kind(place: Place, web: Web, repositories: Repositories, commit: str) -> None:
    repositories.tag("app", "light")
    tag = repositories.tag("app", "ann", annotated=True)
    repositories.run(repositories.work / "app", "checkout", "-q", "-b", "feature/x")
    second = repositories.commit("app", {"a": "two\n"}, "feature/x")
    repositories.push("app", "HEAD:refs/pull/7/head")
    wanted = {"": commit, "main": commit, "HEAD": commit, "light": commit, "ann": commit}
    wanted |= {"feature/x": second, "heads/main": commit, "refs/heads/feature/x": second, "tags/ann": commit}
    wanted |= {"refs/tags/ann": commit, "refs/pull/7/head": second, "pull/7/head": second, second: second}
    for ref, expected in wanted.items():
        assert resolved(place, git(url(web), ref)) == expected, ref
    for ref in ("", "ann", "light", "feature/x", "pull/7/head"):
        text = b"two\n" if wanted[ref] == second else b"one\n"
        assert place.files(place.fetch(git(url(web), ref)))["a"] == text, ref
    assert place.git.resolve(git(url(web), "ann"), place.cancellation).checksum == tag


def test_a_branch_goes_before_a_tag_of_its_name(
    place: Place, web: Web, repositories: Repositories, commit: str
) -> None:
    repositories.tag("app", "same")
    repositories.run(repositories.work / "app", "checkout", "-q", "-b", "same")
    second = repositories.commit("app", {"a": "two\n"}, "same")
    assert resolved(place, git(url(web), "same")) == second


def test_a_whole_hash_asks_nobody_and_a_part_of_one_is_no_ref(place: Place, web: Web, commit: str) -> None:
    op = git(url(web), commit)
    assert resolved(place, op) == commit
    place.git.key(op, place.cancellation)
    assert not web.seen
    place.fetch(op)
    asked = len(web.seen)
    place.again().fetch(op)
    assert len(web.seen) == asked, "the store has it"
    with pytest.raises(UserError, match=f"repository does not contain ref {commit[:12]}"):
        resolved(place, git(url(web), commit[:12]))


def test_a_build_sees_one_commit_of_a_ref(
    place: Place, web: Web, repositories: Repositories, commit: str
) -> None:
    op = git(url(web), "main")
    key = place.git.key(op, place.cancellation)
    repositories.commit("app", {"a": "two\n"})
    assert place.files(place.fetch(op))["a"] == b"one\n", "the branch moved after it was resolved"
    assert place.git.key(op, place.cancellation) == key
    assert place.again().git.key(op, place.cancellation) != key
    assert place.files(place.fetch(op))["a"] == b"two\n"


def test_the_key_is_the_commit_and_how_it_is_laid_out(
    place: Place, web: Web, repositories: Repositories, commit: str
) -> None:
    repositories.tag("app", "v1", annotated=True)

    def key(ref: str, **settings: object) -> str:
        return place.git.key(git(url(web), ref, **settings), place.cancellation)

    assert key("main") == key("v1") == key(commit) == key("main", mtime="checkout", checksum=commit[:8])
    others = [key("main", subdir="sub"), key("main", mtime="commit"), key("main", skip_submodules=True)]
    others += [key("main", keep_git_dir=True), key("v1", keep_git_dir=True)]
    assert len({key("main"), *others}) == len(others) + 1
    assert key("main", subdir="sub", keep_git_dir=True) == key("main", subdir="/sub/.")


def test_checksums(place: Place, web: Web, repositories: Repositories, commit: str) -> None:
    tag = repositories.tag("app", "v1", annotated=True)
    for ref, checksum in (
        ("main", commit),
        ("main", commit[:7]),
        ("v1", commit[:9]),
        ("v1", tag),
        (commit, commit),
    ):
        assert place.files(place.fetch(git(url(web), ref, checksum=checksum)))["a"] == b"one\n"
    with pytest.raises(UserError) as raised:
        resolved(place, git(url(web), "main", checksum="0" * 40))
    assert str(raised.value) == f"expected checksum to match {'0' * 40}, got {commit}"
    with pytest.raises(UserError, match=f"expected checksum to match 00, got {tag} or {commit}"):
        resolved(place, git(url(web), "v1", checksum="00"))
    with pytest.raises(UserError, match=f"expected checksum to match 00, got {commit}"):
        resolved(place, git(url(web), commit, checksum="00"))
    with pytest.raises(UserError, match="invalid checksum xyz for Git URL, expected hex commit hash"):
        resolved(place, git(url(web), "main", checksum="xyz"))


def test_there_is_no_such_ref_or_no_commit_at_all(
    place: Place, web: Web, repositories: Repositories, commit: str
) -> None:
    with pytest.raises(UserError, match="repository does not contain ref nope"):
        resolved(place, git(url(web), "nope"))
    repositories.run(repositories.root, "init", "-q", "--bare", "void.git")
    with pytest.raises(UserError, match="could not find default branch for repository"):
        resolved(place, git(url(web, "void")))
    with pytest.raises(FetchError, match="failed to fetch remote") as raised:
        resolved(place, git(url(web, "gone"), "main"))
    assert "check the address" in render(raised.value.diagnostic)
    with pytest.raises(UserError, match="commit can not be found in the repository"):
        place.fetch(git(url(web), "1" * 40))
