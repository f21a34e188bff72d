"""The syntax line, and what references name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybuild.lang import frontends
from pybuild.lang.diagnostics import SourceError, UsageError, render
from pybuild.lang.dockerfile.parse import decode
from pybuild.lang.frontends import choose, detect_syntax, refused

DETECTED = [
    # bytes, reference, command line, line
    (b"# syntax=docker/dockerfile:1\nFROM a\n", "docker/dockerfile:1", "docker/dockerfile:1", 1),
    (b"#syntax=x", "x", "x", 1),
    (b"#\t SyNtAx \t=\t x \t\r\n", "x", "x", 1),
    (b"# syntax = a/b --opt 1  \nFROM a", "a/b", "a/b --opt 1", 1),
    (b"# escape=`\n# check=skip=all\n# syntax=x\n", "x", "x", 3),
    (b"\xef\xbb\xbf# syntax=x\n", "x", "x", 1),
    (b"#!/usr/bin/env pybuild\n# syntax=x\n", "x", "x", 2),
    (b"\xef\xbb\xbf#!/x\n# escape=`\n# syntax=x\n", "x", "x", 3),
    (b"// syntax=x\nfoo", "x", "x", 1),
    (b"//syntax=x y\nfoo", "x", "x y", 1),
    (b'{"a": 1, "syntax": "x"}', "x", "x", 1),
    (b'\n{\n  "syntax": "x",\n  "b": [1e400, NaN]\n}', None, None, None),
    (b'\n{\n  "syntax": "x y"\n}', "x", "x y", 3),
    (b'#!/x\n{"syntax": "x"}', "x", "x", 2),
    (b"# syntax=\xff\n", "\udcff", "\udcff", 1),
    (b"# syntax=a\n# syntax=b\n", "a", "a", 1),
    (b"# syntax= \n", "", " ", 1),
]

NOT_DETECTED = [
    b"",
    b"\n# syntax=x",
    b" # syntax=x",
    b"# hello\n# syntax=x",
    b"#\n# syntax=x",
    b"# foo=bar\n# syntax=x",
    b"FROM a\n# syntax=x",
    b"# syntax=",
    b"# syntax x",
    b"# 1syntax=x",
    b"# syn-tax=x",
    b"/ syntax=x",
    b"// escape=`\n# syntax=x",
    b"# escape=`\n// syntax=x",
    b"# escape=`\n# escape=`\n# syntax=x",
    b'{"syntax": 1}',
    b'{"Syntax": "x"}',
    b'["syntax"]',
    b'{"syntax": "x"} y',
    b'{"syntax": ',
    b"#!/x # syntax=x",
    b"{" * 100_000,
]


@pytest.mark.parametrize(("data", "reference", "command_line", "line"), DETECTED)
def test_detected(data: bytes, reference: str | None, command_line: str, line: int) -> None:
    syntax = detect_syntax(data)
    if reference is None:
        assert syntax is None
        return
    assert syntax is not None
    assert (syntax.reference, syntax.command_line, syntax.line) == (reference, command_line, line)


@pytest.mark.parametrize("data", [row[0] for row in DETECTED if row[1] is not None])
def test_the_place_is_that_of_the_value(data: bytes) -> None:
    syntax = detect_syntax(data)
    assert syntax is not None
    source = decode("Dockerfile", data)
    span = syntax.span(source)
    shown = source.line(span.line)[span.column - 1 : span.end_column - 1]
    assert shown.strip('"') == syntax.command_line


@pytest.mark.parametrize("data", NOT_DETECTED)
def test_not_detected(data: bytes) -> None:
    assert detect_syntax(data) is None


@given(st.binary(max_size=200))
def test_any_bytes_have_a_syntax_or_none(data: bytes) -> None:
    for start in (b"", b"# syntax=", b"// syntax=", b'{"syntax":', b"#!\n# "):
        syntax = detect_syntax(start + data)
        assert syntax is None or syntax.command_line.startswith(syntax.reference)


CHOSEN = {
    None: frontends.DOCKERFILE,
    "docker/dockerfile": frontends.DOCKERFILE,
    "docker/dockerfile:latest": frontends.DOCKERFILE,
    "docker/dockerfile:1": frontends.DOCKERFILE,
    "docker/dockerfile:1.7": frontends.DOCKERFILE,
    "docker/dockerfile:1.7.0": frontends.DOCKERFILE,
    "docker.io/docker/dockerfile:1": frontends.DOCKERFILE,
    "index.docker.io/docker/dockerfile:1.26": frontends.DOCKERFILE,
    "registry-1.docker.io/docker/dockerfile": frontends.DOCKERFILE,
    "docker/dockerfile:1-labs": frontends.DOCKERFILE_IMAGE,
    "docker/dockerfile:1.7-labs": frontends.DOCKERFILE_IMAGE,
    "docker/dockerfile:labs": frontends.DOCKERFILE_IMAGE,
    "docker/dockerfile:1.7.0-rc1": frontends.DOCKERFILE_IMAGE,
    "docker/dockerfile:1.7.0.1": frontends.DOCKERFILE_IMAGE,
    "docker/dockerfile:2": frontends.DOCKERFILE_IMAGE,
    "docker/dockerfile:1.": frontends.DOCKERFILE_IMAGE,
    "docker/dockerfile:": frontends.DOCKERFILE_IMAGE,
    "docker/dockerfile:1-upstream": frontends.DOCKERFILE_IMAGE,
    "docker/dockerfile-upstream:master": frontends.DOCKERFILE_IMAGE,
    "docker/dockerfile@sha256:" + "0" * 64: frontends.DOCKERFILE_IMAGE,
    "docker/dockerfile:1@sha256:" + "0" * 64: frontends.DOCKERFILE_IMAGE,
    "pybuild/dockerfile:1": frontends.DOCKERFILE_EXTENDED,
    "pybuild/dockerfile": frontends.IMAGE,
    "pybuild/dockerfile:2": frontends.IMAGE,
    "pybuild/dockerfile:latest": frontends.IMAGE,
    "pybuild/dockerfile:1@sha256:" + "0" * 64: frontends.IMAGE,
    "pybuild:1": frontends.LANGUAGE,
    "pybuild:latest": frontends.IMAGE,
    "python:1": frontends.PYTHON,
    "python:3.12": frontends.IMAGE,
    "python": frontends.IMAGE,
    "docker.io/python:1": frontends.IMAGE,
    "": frontends.IMAGE,
    "ghcr.io/docker/dockerfile:1": frontends.IMAGE,
    "localhost:5000/docker/dockerfile:1": frontends.IMAGE,
    "localhost:5000/x": frontends.IMAGE,
    "x/docker/dockerfile:1": frontends.IMAGE,
}


@pytest.mark.parametrize("reference", CHOSEN, ids=str)
def test_chosen(reference: str | None) -> None:
    frontend = choose(reference)
    assert frontend.kind == CHOSEN[reference]
    assert frontend.reference == reference
    assert frontend.builtin == (frontend.kind in (frontends.DOCKERFILE, frontends.DOCKERFILE_EXTENDED))


@given(st.text(max_size=60))
def test_any_text_names_something(reference: str) -> None:
    choose(reference)


def test_refused_points_at_the_line() -> None:
    data = b"# escape=`\n# syntax = docker/dockerfile:1-labs --x\nFROM a\n"
    syntax = detect_syntax(data)
    assert syntax is not None
    error = refused(choose(syntax.reference), syntax, decode("Dockerfile", data))
    assert isinstance(error, SourceError)
    assert (
        render(error.diagnostic)
        == """\
error: the frontend docker/dockerfile:1-labs is an image, which only builds run
 --> Dockerfile:2:12
  |
2 | # syntax = docker/dockerfile:1-labs --x
  |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^ a Dockerfile frontend run from its image
  |
  = help: remove the syntax line, or use docker/dockerfile:1 (or a version like 1.7 or 1.7.0, or latest), or \
pybuild/dockerfile:1"""
    )


def test_refused_without_a_line() -> None:
    error = refused(choose("python:1"))
    assert isinstance(error, UsageError)
    assert str(error) == "the frontend python:1 is not supported by this version of pybuild"
    assert "Python build modules cannot run here" in render(error.diagnostic)


def test_refused_names_even_an_empty_reference() -> None:
    assert "the frontend '' is an image" in str(refused(choose("")))
