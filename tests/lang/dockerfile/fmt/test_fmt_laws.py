"""What holds for every file the formatter takes: stable, the same meaning, the same graph."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.compiler.lower.dockerfile.world import DIGEST, World, image_config, lowered
from tests.lang.dockerfile.fmt.formatter_cases import NOISE, TEXT, cases, dockerfiles

from pybuild.compiler.bridge import ResolvedImage
from pybuild.compiler.graph import Edge
from pybuild.compiler.ops import Platform
from pybuild.lang.diagnostics import SourceError, UserError
from pybuild.lang.dockerfile.fmt import format_text
from pybuild.lang.dockerfile.fmt.file import meaning
from pybuild.lang.dockerfile.lint.linter import Linter
from pybuild.lang.dockerfile.parse import parse
from pybuild.lang.frontends import detect_syntax
from pybuild.lang.source import Source

pytestmark = pytest.mark.long


class AnyWorld(World):
    """Has every image."""

    def resolve_image(self, ref: str, platform: Platform, *, log_name: str = "") -> ResolvedImage:
        return ResolvedImage(ref, DIGEST, image_config())


def formatted(text: str) -> str | None:
    """The file formatted, None if it doesn't parse."""
    try:
        parse(Source("Dockerfile", text))
    except SourceError:
        return None
    return format_text(Source("Dockerfile", text))


def graph(text: str) -> tuple[Any, ...]:
    """The graph without names and places, and the image; or what is wrong with the file."""
    try:
        result = lowered(text, AnyWorld(), linter=Linter.off())
    except UserError as error:
        return type(error), str(error)
    digest = result.edge.vertex.digest if isinstance(result.edge, Edge) else None
    return digest, json.loads(result.image.to_json())


def check(text: str) -> None:
    done = formatted(text)
    if done is None:
        return
    assert done.endswith("\n")
    if done == text:
        return
    assert format_text(Source("Dockerfile", done)) == done
    before, after = (parse(Source("Dockerfile", one)) for one in (text, done))
    assert meaning(after) == meaning(before)
    assert graph(done) == graph(text)
    syntaxes = [detect_syntax(one.encode("utf-8", "surrogateescape")) for one in (text, done)]
    assert len({None if one is None else one.command_line for one in syntaxes}) == 1


@pytest.mark.parametrize(("title", "text", "wanted"), cases(), ids=lambda value: value[:40])
def test_cases(title: str, text: str, wanted: str) -> None:
    assert formatted(text) == wanted
    check(text)


def test_there_are_cases() -> None:
    assert len(cases()) > 10
    assert len(dockerfiles()) > 150


def test_the_dockerfiles_of_all_suites() -> None:
    for number, text in enumerate(dockerfiles()):
        check(text.replace("\n", "\r\n") if number % 4 == 0 else text)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(dockerfiles()), st.lists(st.tuples(st.integers(0, 2000), NOISE), max_size=8))
def test_dockerfiles_with_noise(text: str, noise: list[tuple[int, str]]) -> None:
    for place, added in noise:
        place %= len(text) + 1
        text = text[:place] + added + text[place:]
    check(text)


@settings(max_examples=100, deadline=None)
@given(TEXT)
def test_generated_files(text: str) -> None:
    check(text)


def test_white_space_that_makes_no_array_of_a_copy_is_kept() -> None:
    text = 'FROM base\nADD ["f", "\t/with blank"]\n'
    assert format_text(Source("Dockerfile", text)) == text
