"""The linter by itself: what it tells whom, which directive it reads, which name it suggests."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.compiler.lower.dockerfile.world import AMD64, World

from pybuild.compiler.lower.dockerfile import LowerOptions, lower
from pybuild.lang.diagnostics import Diagnostic, SourceError, UsageError, render
from pybuild.lang.dockerfile.directives import find_directive
from pybuild.lang.dockerfile.lint import rules
from pybuild.lang.dockerfile.lint.config import BadCheck, parse_check
from pybuild.lang.dockerfile.lint.linter import CHECK_ARG, Linter, LintViolation
from pybuild.lang.dockerfile.lint.nearest import nearest
from pybuild.lang.dockerfile.lint.rules import DOCUMENTATION, RULES
from pybuild.lang.dockerfile.parse import decode, parse
from pybuild.lang.dockerfile.words import Lex, WordError
from pybuild.lang.source import Source, Span
from pybuild.runtime.progress.display import warnings_text

TEXT = "FROM base AS Build\nRUN a \\\n\n  b\n"


def test_a_finding_is_a_warning_with_rule_place_and_page() -> None:
    heard: list[Diagnostic] = []
    source = Source("Dockerfile", TEXT)
    linter = Linter.of(source, {}, heard.append)
    parse(source, None, linter)
    assert [one.code for one in heard] == ["NoEmptyContinuation", "StageNameCasing"]
    assert [one.diagnostic.code for one in linter.findings] == [one.code for one in heard]
    url = f"{DOCUMENTATION}no-empty-continuation/"
    assert render(heard[0]) == (
        "warning[NoEmptyContinuation]: Empty continuation line\n"
        " --> Dockerfile:4:1\n"
        "  |\n"
        "3 |\n"
        "  | - the empty line\n"
        "4 |   b\n"
        "  | ^^^\n"
        "  |\n"
        "  = note: Empty continuation lines will become errors in a future release\n"
        f"  = see: {url}"
    )
    text = warnings_text([*heard, heard[1]])
    assert text.startswith(
        f"3 warnings found:\n - NoEmptyContinuation: Empty continuation line (Dockerfile:4)\n   see {url}\n"
    )
    assert text.count("stage-name-casing/") == 1


def test_a_note_keeps_the_page() -> None:
    assert Diagnostic("x", url="https://example.com/").with_note("help", "y").url == "https://example.com/"


def test_parse_and_lowering_share_one_count() -> None:
    source = Source("Dockerfile", "# check=error=true\n" + TEXT + "CMD c\n")
    linter = Linter.of(source, {})
    world = World()
    file = parse(source, None, linter)
    with pytest.raises(LintViolation) as caught:
        lower(file, LowerOptions(build_platforms=(AMD64,), linter=linter), world)
    assert caught.value.rules == ("JSONArgsRecommended", "NoEmptyContinuation", "StageNameCasing")
    assert caught.value.exit_code == 1
    assert "makes them errors" in render(caught.value.diagnostic)
    assert world.warnings == []


def test_without_a_linter_the_bridge_hears_what_the_lowering_finds() -> None:
    world = World()
    heard: list[Diagnostic] = []
    text = "FROM base AS Build\nCMD a\n"
    file = parse(Source("Dockerfile", text), heard.append)
    lower(file, LowerOptions(build_platforms=(AMD64,), build_args={CHECK_ARG: "skip=Other"}), world)
    assert [one.code for one in heard] == ["StageNameCasing"]
    assert [one.code for one in world.warnings] == ["JSONArgsRecommended"]
    with pytest.raises(LintViolation) as caught:
        lower(file, LowerOptions(build_platforms=(AMD64,), build_args={CHECK_ARG: "error=1"}), world)
    assert caught.value.rules == ("JSONArgsRecommended",)
    assert f"note: {CHECK_ARG} makes them errors" in render(caught.value.diagnostic)


def test_a_linter_that_is_off_finds_nothing() -> None:
    linter = Linter.off()
    for rule in RULES.values():
        linter.report(rule, Span(Source("x", "y"), 1, 1, 1, 2))
    assert linter.findings == []
    assert linter.violation() is None


def test_all_stages_are_resolved_where_that_is_asked_for() -> None:
    text = "FROM base AS a\nCMD a\nFROM other AS b\nCOPY --from=third x /\nFROM scratch\n"
    images = {
        f"docker.io/library/{name}:latest": World().images["docker.io/library/base:latest"]
        for name in ("other", "third")
    }
    for lint_all, wanted in ((False, []), (True, ["base", "other", "third"])):
        world = World(images)
        lower(
            parse(Source("Dockerfile", text)),
            LowerOptions(build_platforms=(AMD64,), lint_all=lint_all),
            world,
        )
        assert sorted(ref.split("/")[2].removesuffix(":latest") for ref, _ in world.resolved) == wanted


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("# check=skip=all\n", 1),
        ("#check=skip=all", 1),
        ("# syntax=a\n# escape=`\n#\tCheck =  skip=all  \r\n", 3),
        ("#!/bin/x\n# check=skip=all\n", 2),
    ],
)
def test_find_directive(text: str, line: int) -> None:
    source = decode("Dockerfile", text.encode())
    found = find_directive(source, "check")
    assert found is not None
    value, span = found
    assert value == "skip=all"
    assert span.line == span.end_line == line
    assert source.line(line)[span.column - 1 : span.end_column - 1] == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n# check=skip=all",
        " # check=skip=all",
        "# x\n# check=a",
        "FROM a\n# check=a",
        "# syntax=a\n# syntax=b\n# check=a",
    ],
)
def test_find_no_directive(text: str) -> None:
    assert find_directive(Source("Dockerfile", text), "check") is None


def test_check_options() -> None:
    config = parse_check(" skip=A, B ;error=T;experimental=C;D=1")
    assert (set(config.skip), config.error, set(config.experimental)) == ({"A", "B"}, True, {"C;D=1"})
    config = parse_check("skip=A;skip=B;error=0")
    assert (set(config.skip), config.error, config.skip_all) == ({"B"}, False, False)
    config = parse_check("skip=A;skip=all")
    assert config.skip_all
    assert not config.wants(rules.STAGE_NAME_CASING)
    for bad in ("x", "=", "skip", "error=", "error=yes", "skip=A;", "Skip=A"):
        with pytest.raises(BadCheck):
            parse_check(bad)


def test_bad_options_point_at_the_directive_or_name_the_argument() -> None:
    source = Source("Dockerfile", "# check=nope=1\nFROM a\n")
    with pytest.raises(SourceError) as caught:
        Linter.of(source, {})
    assert render(caught.value.diagnostic).startswith(
        'error: failed to parse check options: invalid check option "nope"\n --> Dockerfile:1:9\n'
    )
    with pytest.raises(UsageError, match=f"failed to parse build-arg:{CHECK_ARG}: invalid check option"):
        Linter.of(source, {CHECK_ARG: "nope"})
    assert Linter.of(source, {CHECK_ARG: ""}).violation() is None


def test_a_message_shows_control_characters_as_escapes() -> None:
    source = Source("Dockerfile", "")
    linter = Linter.of(source, {})
    linter.report(rules.STAGE_NAME_CASING, Span(source, 1, 1, 1, 2), "A\x1b[2J\x00")
    assert linter.findings[0].message == r"Stage name 'A\x1b[2J\x00' should be lowercase"


def test_rules_have_pages_of_different_names() -> None:
    assert len(RULES) == 22
    assert rules.JSON_ARGS_RECOMMENDED.slug == "json-args-recommended"
    assert rules.NO_EMPTY_CONTINUATION.slug == "no-empty-continuation"
    assert len({rule.slug for rule in RULES.values()}) == len(RULES)


def test_an_error_in_a_word_keeps_the_names_it_asked_for() -> None:
    with pytest.raises(WordError) as caught:
        Lex("\\").word("$a${b:?c}$d", {})
    assert caught.value.unmatched == {"a", "b"}


def edits(a: str, b: str) -> int:
    """Levenshtein's distance by its definition."""
    if not a or not b:
        return len(a) + len(b)
    return min(edits(a[1:], b) + 1, edits(a, b[1:]) + 1, edits(a[1:], b[1:]) + (a[0] != b[0]))


WORDS = st.text(alphabet="ab_", max_size=5)


@settings(max_examples=150, deadline=None)
@given(WORDS, st.lists(WORDS, max_size=4))
def test_the_nearest_name_is_the_first_with_the_fewest_edits(word: str, names: list[str]) -> None:
    found = nearest(word, names)
    near = [name for name in names if edits(word, name) < 3]
    least = min((edits(word, name) for name in near), default=None)
    if word in names or least is None:
        assert found == ""
    else:
        assert found == next(name for name in near if edits(word, name) == least)
