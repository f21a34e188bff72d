"""Checked strings: what is one, and what is said of what isn't."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybuild.compiler import platforms
from pybuild.compiler.reference import InvalidReference, parse
from pybuild.lang.textual import forms


@pytest.mark.parametrize("text", [".", "/", "a b", "../x", "*.py", "a/", "$X", "\u00e4"])
def test_paths(text: str) -> None:
    assert forms.path(text) is None


@pytest.mark.parametrize("text", ["", "a\0b"])
def test_no_paths(text: str) -> None:
    assert forms.path(text) is not None


GOOD_REFERENCES = [
    "alpine",
    "alpine:3.20",
    "library/alpine",
    "ghcr.io/a/b-c__d.e:v1",
    "localhost/x",
    "localhost:5000/x:y",
    "127.0.0.1:5010/busybox",
    "[::1]:5000/x",
    "EXAMPLE/x",
    "a/b/c/d",
    "x@sha256:" + "a" * 64,
    "x:y@sha512:" + "0" * 128,
    "x:" + "a" * 128,
]
BAD_REFERENCES = [
    "",
    ":x",
    "x:",
    "x@",
    "Alpine",
    "a//b",
    "/x",
    "x/",
    "-a",
    "a_-b",
    "a..b",
    "https://x/y",
    "x y",
    "x:.y",
    "x:" + "a" * 129,
    "x@sha256:abc",
    "x@md5:" + "a" * 32,
    "x@sha256:" + "A" * 64,
    "a" * 64,
    "a" * 300,
    "a" * 248,
    "x\n",
    "-.io/x",
    "x:y:z",
]


@pytest.mark.parametrize("text", GOOD_REFERENCES)
def test_references(text: str) -> None:
    assert forms.reference(text) is None


@pytest.mark.parametrize("text", BAD_REFERENCES)
def test_no_references(text: str) -> None:
    assert forms.reference(text) is not None


NAMES = ("a", "B", "a.b", "localhost", "docker.io", "index.docker.io", "library", "x1", "a" * 64, "a" * 250)
SIGNS = ("/", ":", "@", ".", "_", "__", "-", "sha256:", "5000", "::1", "[", "]", " ", "\n")
PIECES = st.sampled_from((*NAMES, *SIGNS))


@given(
    st.one_of(
        st.lists(PIECES, max_size=8).map("".join), st.text(max_size=20), st.sampled_from(GOOD_REFERENCES)
    )
)
def test_the_compiler_takes_the_same_references(text: str) -> None:
    try:
        parse(text)
    except InvalidReference:
        assert forms.reference(text) is not None
    else:
        assert forms.reference(text) is None


@given(st.one_of(st.lists(PIECES, max_size=8).map("".join), st.text(max_size=20)))
def test_what_is_proposed_is_right(text: str) -> None:
    for type in ("path", "ref", "platform", "version"):
        flaw = forms.flaw(type, text)
        if flaw is not None and flaw.instead:
            assert forms.flaw(type, flaw.instead) is None


@pytest.mark.parametrize(
    "text", ["linux/amd64", "linux/arm/v7", "darwin/arm64", "windows/386", "linux/amd64/v3"]
)
def test_platforms(text: str) -> None:
    assert forms.platform(text) is None
    assert platforms.format(platforms.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("amd64", "linux/amd64"),
        ("x86_64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("linux/aarch64", "linux/arm64"),
        ("macos/arm64", "darwin/arm64"),
        ("Linux/amd64", "linux/amd64"),
        ("linux/AMD64", "linux/amd64"),
        ("linux/amd46", "linux/amd64"),
        ("linus/amd64", "linux/amd64"),
        ("linux", ""),
        ("", ""),
        ("linux/", ""),
        ("linux/amd64/v3/x", ""),
        ("linux/amd64/", ""),
        ("linux/amd64/V3", ""),
        ("local", ""),
        ("/", ""),
    ],
)
def test_no_platforms(text: str, instead: str) -> None:
    flaw = forms.platform(text)
    assert flaw is not None
    assert flaw.instead == instead


def test_names_are_those_of_the_compiler() -> None:
    assert forms.ARCHITECTURES == platforms.ARCHITECTURES
    assert forms.SYSTEMS - {"wasip1"} == platforms.OPERATING_SYSTEMS


@pytest.mark.parametrize("text", ["1", "1.2", "12.4.1", "3.12.0.1", "1.0-rc1", "1.0.0-alpha.1", "0", "01.2"])
def test_versions(text: str) -> None:
    assert forms.version(text) is None


@pytest.mark.parametrize(
    "text", ["", "v1.2", "V1", "1.", ".1", "1..2", "1.x", "1.0-", "1.0+build", "latest", " 1", "1\n"]
)
def test_no_versions(text: str) -> None:
    assert forms.version(text) is not None


def test_a_leading_letter_is_left_out() -> None:
    flaw = forms.version("v1.22.3")
    assert flaw is not None
    assert flaw.instead == "1.22.3"
