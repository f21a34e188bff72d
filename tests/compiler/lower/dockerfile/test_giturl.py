"""Addresses of repositories: what is one, and what it says."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from pybuild.compiler.giturl import GitRef, parse_git_ref
from pybuild.compiler.urls import download_name, parse_address, query_pairs
from pybuild.lang.diagnostics import UserError

HTTPS = GitRef("https://host.example/team/repo.git", "repo")
SCP = GitRef("git@host.example:team/repo.git", "repo")
COMMIT = "0123456789abcdef0123456789abcdef01234567"

NOT_GIT = [
    "",
    ".",
    "repo.git",
    "./repo.git",
    "../repo.git",
    "./git@host:repo.git",
    "/srv/repo.git",
    "a/b@c:d",
    "host:repo.git",
    "user@:repo.git",
    "us.er@host:repo.git",
    "user@ho_st:repo.git",
    "https://host.example/repo",
    "https://host.example/repo.git/",
    "https://host.example/repo.git/x",
    "http://host.example/a.tar.gz#b.git",
    "https://host.example/?x=.git",
    "ftp://host.example/repo.git",
    "file:///srv/repo.git",
    "https:/host.example/repo.git",
    "https://ho st/repo.git",
    "https://host.example/%zz.git",
    "https://host.example:port/repo.git",
    "https://host.example/repo.git#%",
    "https://us er@host.example/repo.git",
    "https://host.example/re\x01po.git",
    "github.company/x",
    "git@host:x?a=%zz",
    "git@host:x?a;b",
    "git@host:x\ny",
]


@pytest.mark.parametrize("text", NOT_GIT)
def test_no_repository(text: str) -> None:
    assert parse_git_ref(text) is None


ADDRESSES = {
    "https://host.example/team/repo.git": HTTPS,
    "HTTPS://host.example/team/repo.git": HTTPS,
    "http://host.example/team/repo.git": evolve(
        HTTPS, remote="http://host.example/team/repo.git", unencrypted_tcp=True
    ),
    "git://host.example/team/repo": GitRef("git://host.example/team/repo", "repo", unencrypted_tcp=True),
    "ssh://git@host.example:22/repo": GitRef("ssh://git@host.example:22/repo", "repo"),
    "https://user:word@[::1]:8443/r.git": GitRef("https://user:word@[::1]:8443/r.git", "r"),
    "https://host.example/a b%2Fc.git": GitRef("https://host.example/a%20b%2Fc.git", "a%20b%2Fc"),
    "https://host.example/é.git": GitRef("https://host.example/%C3%A9.git", "%C3%A9"),
    "git@host.example:team/repo.git": SCP,
    "git@host.example:": GitRef("git@host.example:", "git@host.example:"),
    "github.com/team/repo": GitRef("github.com/team/repo", "repo", indistinguishable_from_local=True),
    "github.com/team/repo?tag=v1#:d": GitRef(
        "github.com/team/repo", "repo", "refs/tags/v1", "d", indistinguishable_from_local=True
    ),
}


@pytest.mark.parametrize("text", ADDRESSES)
def test_addresses(text: str) -> None:
    assert parse_git_ref(text) == ADDRESSES[text]


FRAGMENTS: dict[str, dict[str, Any]] = {
    "": {},
    "#": {},
    "#main": {"ref": "main"},
    "#refs/pull/7/head": {"ref": "refs/pull/7/head"},
    "#feature%2Fx": {"ref": "feature/x"},
    "#main:docs": {"ref": "main", "subdir": "docs"},
    "#main:/docs/./a/../b//": {"ref": "main", "subdir": "docs/b"},
    "#main:../..": {"ref": "main"},
    "#:docs": {"subdir": "docs"},
    "#:": {},
    "#a:b:c": {"ref": "a", "subdir": "b:c"},
    "#a#b": {"ref": "a#b"},
    "#a?ref=b": {"ref": "a?ref=b"},
    f"#{COMMIT}": {"ref": COMMIT},
}


@pytest.mark.parametrize("fragment", FRAGMENTS)
def test_fragments(fragment: str) -> None:
    assert parse_git_ref(HTTPS.remote + fragment) == evolve(HTTPS, **FRAGMENTS[fragment])
    if "%" not in fragment:
        assert parse_git_ref(SCP.remote + fragment) == evolve(SCP, **FRAGMENTS[fragment])


QUERIES: dict[str, dict[str, Any]] = {
    "": {},
    "ref=main": {"ref": "main"},
    "ref=refs/pull/7/head": {"ref": "refs/pull/7/head"},
    "tag=v1": {"ref": "refs/tags/v1"},
    "tag=refs/tags/v1": {"ref": "refs/tags/v1"},
    "branch=a/b": {"ref": "refs/heads/a/b"},
    "branch=refs/heads/a": {"ref": "refs/heads/a"},
    "ref=refs/tags/v1&tag=v1": {"ref": "refs/tags/v1"},
    "subdir=docs/a": {"subdir": "docs/a"},
    f"checksum={COMMIT}": {"checksum": COMMIT},
    f"commit={COMMIT}": {"checksum": COMMIT},
    "tag=v1&checksum=0123": {"ref": "refs/tags/v1", "checksum": "0123"},
    "checksum=0123&commit=0123": {"checksum": "0123"},
    "keep-git-dir": {"keep_git_dir": True},
    "keep-git-dir=": {"keep_git_dir": True},
    "keep-git-dir=T": {"keep_git_dir": True},
    "keep-git-dir=False": {"keep_git_dir": False},
    "submodules=0": {"submodules": False},
    "submodules": {"submodules": True},
    "fetch-by-commit=1&checksum=0123": {"fetch_by_commit": True, "checksum": "0123"},
    "fetch-by-commit=false": {},
    "mtime=commit": {"mtime": "commit"},
    "mtime=checkout": {"mtime": "checkout"},
    "ref=a+b%2Bc": {"ref": "a b+c"},
    "&ref=a&": {"ref": "a"},
}


@pytest.mark.parametrize("query", QUERIES)
def test_queries(query: str) -> None:
    assert parse_git_ref(f"{HTTPS.remote}?{query}") == evolve(HTTPS, **QUERIES[query])
    assert parse_git_ref(f"{SCP.remote}?{query}") == evolve(SCP, **QUERIES[query])


def test_query_and_fragment_agree() -> None:
    expected = evolve(HTTPS, ref="main", subdir="d", keep_git_dir=True)
    assert parse_git_ref(HTTPS.remote + "?ref=main&subdir=d&keep-git-dir#main:d") == expected
    assert parse_git_ref(HTTPS.remote + "?keep-git-dir#main:d") == expected


WRONG = {
    "?x=1": 'unexpected query "x"',
    "?=1": "unexpected query",
    "?ref": 'query "ref" has no value',
    "?ref=": 'query "ref" has no value',
    "?mtime=": 'query "mtime" has no value',
    "?ref=a&ref=a": 'query "ref" has multiple values',
    "?submodules&submodules": 'query "submodules" has multiple values',
    "?ref=a#b": 'ref conflicts: "b" vs "a"',
    "?tag=a#a": 'ref conflicts: "a" vs "refs/tags/a"',
    "?ref=a&branch=a": 'ref conflicts: "a" vs "refs/heads/a"',
    "?tag=a&branch=a": "branch conflicts with tag",
    "?subdir=a#:b": 'subdir conflicts: "b" vs "a"',
    "?checksum=a&commit=b": 'checksum conflicts: "a" vs "b"',
    "?keep-git-dir=yes": 'invalid keep-git-dir value: "yes"',
    "?submodules=2": 'invalid submodules value: "2"',
    "?fetch-by-commit=tRUE": 'invalid fetch-by-commit value: "tRUE"',
    "?mtime=now": 'invalid mtime value: "now" (must be "checkout" or "commit")',
}


@pytest.mark.parametrize("rest", WRONG)
@pytest.mark.parametrize("remote", [HTTPS.remote, SCP.remote, "github.com/team/repo"])
def test_wrong_queries(remote: str, rest: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_git_ref(remote + rest)
    assert str(caught.value).startswith(WRONG[rest])


def test_a_near_name_is_suggested() -> None:
    with pytest.raises(UserError) as caught:
        parse_git_ref(HTTPS.remote + "?keep-gitdir=1")
    assert ("help", "did you mean keep-git-dir?") in caught.value.diagnostic.notes


@given(st.text(max_size=40), st.sampled_from(["", "https://h/r.git", "git@h:r", "git://h", "github.com/"]))
def test_any_text_is_a_repository_or_none_or_refused(text: str, start: str) -> None:
    try:
        ref = parse_git_ref(start + text)
    except UserError:
        assert "?" in text
        return
    if ref is not None:
        assert ref.remote
        # The address for git holds neither fragment nor query, and means the same repository.
        again = parse_git_ref(ref.remote)
        assert again == GitRef(
            ref.remote,
            ref.short_name,
            indistinguishable_from_local=ref.indistinguishable_from_local,
            unencrypted_tcp=ref.unencrypted_tcp,
        )


NAMES = {
    "http://h": "__unnamed__",
    "http://h/": "__unnamed__",
    "http://h/?a=b": "__unnamed__",
    "http://h/.": "__unnamed__",
    "http://h/%2F%2f": "__unnamed__",
    "http://h/a.tgz": "a.tgz",
    "http://h/a/b/": "b",
    "http://h/a/b//": "b",
    "http://h/a?b=/c": "a",
    "http://h/a#/c": "a",
    "http://h/a%20b+c": "a b+c",
    "http://h/d%2Fe": "e",
    "http://h/%FF": "?",
    "http://h/a%2": "__unnamed__",
    "http://h:x/a": "__unnamed__",
}


@pytest.mark.parametrize("url", NAMES)
def test_names_of_downloads(url: str) -> None:
    assert download_name(url) == NAMES[url]


def test_parts_of_an_address() -> None:
    address = parse_address("HTTP://u:p@H.example:80/a%20b/?q=1&r#f%20g")
    assert address is not None
    assert (address.scheme, address.host, address.path) == ("http", "H.example:80", "/a b/")
    assert (address.query, address.fragment) == ("q=1&r", "f g")
    assert address.bare == "http://u:p@H.example:80/a%20b/"


def test_pairs_that_cannot_be_decoded_are_left_out() -> None:
    assert query_pairs("a=1&b=%zz&c;d=2&%41=%20&e&&=f") == [("a", "1"), ("A", " "), ("e", ""), ("", "f")]
