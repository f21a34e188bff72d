"""What selectors match, and what becomes of an identifier."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybuild.runtime.policy.patterns import expanded, expression, numbered, replaced, wildcard
from pybuild.runtime.policy.rules import PolicyError

TEXTS = st.text("ab*./", max_size=12)
PATTERNS = TEXTS.filter(lambda text: "**" not in text)


@given(PATTERNS, TEXTS)
def test_a_wildcard_is_the_greedy_regular_expression(pattern: str, text: str) -> None:
    found = re.fullmatch(re.escape(pattern).replace(r"\*", "(.*)"), text)
    assert wildcard(pattern, text) == (None if found is None else list(found.groups()))


@given(st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=5))
def test_a_pattern_made_of_a_text_matches_it(parts: list[str]) -> None:
    found = wildcard("*".join(parts), "".join(parts))
    assert found is not None
    assert "".join(part + star for part, star in zip(parts, [*found, ""], strict=True)) == "".join(parts)


def test_many_stars_take_no_time() -> None:
    assert wildcard("*a" * 5000 + "*b", "a" * 20000) is None
    assert wildcard("*a" * 5000, "a" * 20000) is not None


def test_two_stars_in_a_row_are_no_wildcard() -> None:
    with pytest.raises(PolicyError, match=r'translate wildcard "a\*\*" to regexp: invalid wildcard'):
        wildcard("a**", "a")


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("a$", "a\n", False),
        ("(?m)a$", "a\nb", True),
        (r"a\z", "a", True),
        (r"^\Qa.b\E$", "a.b", True),
        (r"^\Qa.b\E$", "aXb", False),
        ("^[[:alpha:]]+$", "aZ", True),
        ("^[[:digit:][:upper:]_-]+$", "1A_-", True),
        (r"^\d+$", "١", False),
        (r"^\s$", "\v", False),
        (r"^[^\s]$", "a", True),
        (r"^\x{41}$", "A", True),
        ("(?<tag>a)", "a", True),
        ("(?P<tag>a)", "a", True),
        ("^[]a]+$", "]a", True),
        ("^[^]]$", "a", True),
        ("(?i)^A$", "a", True),
    ],
)
def test_expressions_are_those_of_go(pattern: str, text: str, matches: bool) -> None:
    assert (expression(pattern).search(text) is not None) == matches


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", "missing closing ): `(`"),
        (")", "unexpected ): `)`"),
        ("*", "missing argument to repetition operator: `*`"),
        ("[a", "missing closing ]: `[a`"),
        (r"(a)\1", "invalid escape sequence"),
        ("a(?=b)", "invalid or unsupported Perl syntax"),
        ("a(?!b)", "invalid or unsupported Perl syntax"),
        (r"\pL", "invalid escape sequence"),
    ],
)
def test_what_go_refuses_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(PolicyError) as caught:
        expression(pattern)
    assert "error parsing regexp: " in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("template", "shown"),
    [
        ("$1-${2}", "one-two"),
        ("${1}x$1x", "onex"),
        ("$$1", "$1"),
        ("$0", "one:two"),
        ("$9${name}", ""),
        ("${1", "${1"),
        ("a$", "a$"),
        ("$01", ""),
    ],
)
def test_templates(template: str, shown: str) -> None:
    assert expanded(template, numbered(["one", "two"], "one:two")) == shown


@pytest.mark.parametrize(
    ("pattern", "text", "template", "shown"),
    [
        ("a*", "baaac", "x", "xbxcx"),
        ("", "ab", "-", "-a-b-"),
        ("(?P<n>b+)(c)?", "abbc", "[${n}$2$3]", "a[bbc]"),
        ("(b)|(c)", "bc", "<$1$2>", "<b><c>"),
        ("x", "ab", "y", "ab"),
    ],
)
def test_every_match_is_replaced(pattern: str, text: str, template: str, shown: str) -> None:
    assert replaced(expression(pattern), text, template) == shown
