"""How `use` names modules that lie elsewhere."""

from __future__ import annotations

import pytest

from pybuild.lang.textual.modules import NotFound
from pybuild.language.moduleaddress import is_remote, parse

COMMIT = "9c2e" * 10
DIGEST = "sha256:" + "5f1b" * 16


@pytest.mark.parametrize(
    ("written", "url", "path", "ref"),
    [
        ("github.com/org/repo@v1", "github.com/org/repo", "build.pybuild", "v1"),
        ("github.com/org/repo//a/b.pybuild@v1.4.0", "github.com/org/repo", "a/b.pybuild", "v1.4.0"),
        ("git.example:8443/o/r.git//x.pybuild@main", "git.example:8443/o/r.git", "x.pybuild", "main"),
        ("localhost/r@v1", "localhost/r", "build.pybuild", "v1"),
        ("127.0.0.1:80/r@v1", "127.0.0.1:80/r", "build.pybuild", "v1"),
        ("https://h/o/r.git@feature/x", "https://h/o/r.git", "build.pybuild", "feature/x"),
        ("http://h:80/r//d//x.pybuild@v1", "http://h:80/r", "d/x.pybuild", "v1"),
        ("git://h/r//x.pybuild@v1", "git://h/r", "x.pybuild", "v1"),
        ("ssh://git@h:22/o/r//x.pybuild@v1", "ssh://git@h:22/o/r", "x.pybuild", "v1"),
        ("git@github.com:o/r.git//x.pybuild@v1", "git@github.com:o/r.git", "x.pybuild", "v1"),
        ("git@github.com:o/r@v1", "git@github.com:o/r", "build.pybuild", "v1"),
        (f"github.com/o/r@{COMMIT}", "github.com/o/r", "build.pybuild", COMMIT),
        ("oci://ghcr.io/o/n:1", "oci://ghcr.io/o/n:1", "build.pybuild", ""),
    ],
)
def test_parts(written: str, url: str, path: str, ref: str) -> None:
    assert is_remote(written)
    found = parse(written)
    assert (found.written, found.url, found.path, found.ref) == (written, url, path, ref)


@pytest.mark.parametrize(
    ("written", "pin"),
    [
        (f"github.com/o/r@{COMMIT}", COMMIT),
        ("github.com/o/r@v1", ""),
        ("github.com/o/r@9c2e9c2", ""),
        (f"oci://ghcr.io/o/n:1@{DIGEST}", DIGEST),
        ("oci://ghcr.io/o/n:1", ""),
    ],
)
def test_what_is_pinned_by_itself(written: str, pin: str) -> None:
    assert parse(written).pin == pin


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("github.com/o/r", "names no version"),
        ("github.com/o/r//x.pybuild", "names no version"),
        ("ssh://git@h/o/r", "names no version"),
        ("git@github.com:o/r", "names no version"),
        ("https://@v1", "names no version"),
        ("https://u:p@h/o/r@v1", "has a password"),
        ("github.com/o/r//../x@v1", "leaves the repository"),
        ("oci://", "it is empty"),
        ("oci://a b", "can't be part of a repository name"),
    ],
)
def test_bad_addresses(written: str, words: str) -> None:
    assert is_remote(written)
    with pytest.raises(NotFound) as caught:
        parse(written)
    assert caught.value.code == "E0801"
    assert words in caught.value.label


@pytest.mark.parametrize("written", ["x.pybuild", "lib/x.pybuild", "/abs/x.pybuild", "uv", "a@v1", ""])
def test_what_is_no_address(written: str) -> None:
    assert not is_remote(written)
