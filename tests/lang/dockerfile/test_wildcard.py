import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybuild.lang.dockerfile import wildcard


class Malformed(Exception):
    pass


def slow_match(pattern: str, name: str) -> bool:
    """Go's rules read off one character at a time. Malformed patterns are found by `slow_check` first."""
    if not pattern:
        return not name
    starred, pattern = pattern.startswith("*"), pattern.lstrip("*")
    if not pattern:
        return "/" not in name
    for start in range(len(name.partition("/")[0]) + 1 if starred else 1):
        rest, left = slow_chunk(pattern, name[start:])
        # What stands before a further star is taken where it first fits.
        if left is not None and (rest or not left):
            return slow_match(rest, left)
    return False


def slow_chunk(pattern: str, name: str) -> tuple[str, str | None]:
    """What follows the pattern up to its next star, and the name behind what that took, None if it doesn't fit."""
    left: str | None = name
    while pattern and pattern[0] != "*":
        ch, pattern = pattern[0], pattern[1:]
        first = left[0] if left else None
        if ch == "[":
            inside, pattern = slow_class(pattern)
            fits = first is not None and inside(first)
        elif ch == "?":
            fits = first not in (None, "/")
        else:
            if ch == "\\":
                ch, pattern = pattern[0], pattern[1:]
            fits = first == ch
        left = left[1:] if left and fits else None
    return pattern, left


def slow_class(text: str) -> tuple[Callable[[str], bool], str]:
    negated = text[:1] == "^"
    text = text[negated:]
    pairs: list[tuple[str, str]] = []
    while not (pairs and text[:1] == "]"):
        low, text = slow_bound(text)
        high = low
        if text[0] == "-":
            high, text = slow_bound(text[1:])
        pairs.append((low, high))
    return (lambda ch: any(low <= ch <= high for low, high in pairs) != negated), text[1:]


def slow_bound(text: str) -> tuple[str, str]:
    if text[:1] in ("", "-", "]"):
        raise Malformed
    if text[0] == "\\":
        text = text[1:]
    if len(text) < 2:
        raise Malformed
    return text[0], text[1:]


def slow_check(pattern: str) -> None:
    while pattern:
        ch, pattern = pattern[0], pattern[1:]
        if ch == "[":
            _, pattern = slow_class(pattern)
        elif ch == "\\":
            if not pattern:
                raise Malformed
            pattern = pattern[1:]


@pytest.mark.parametrize(
    ("pattern", "name", "result"),
    [
        ("abc", "abc", True),
        ("*", "abc", True),
        ("*", "", True),
        ("*c", "abc", True),
        ("a*", "a", True),
        ("a*/b", "abc/b", True),
        ("a*/b", "a/c/b", False),
        ("*", "a/b", False),
        ("**", "a/b", False),
        ("a?b", "a/b", False),
        ("a?b", "aéb", True),
        ("a*b?c*x", "abxbbxdbxebxczzx", True),
        ("a*b?c*x", "abxbbxdbxebxczzy", False),
        ("ab[c]", "abc", True),
        ("ab[b-d]", "abc", True),
        ("ab[e-g]", "abc", False),
        ("ab[^c]", "abc", False),
        ("ab[^e-g]", "abc", True),
        ("[!a]", "!", True),
        ("[!a]", "b", False),
        ("a[^a]b", "a/b", True),
        ("a[/]b", "a/b", True),
        ("[d-a]", "b", False),
        ("[^d-a]", "b", True),
        (r"a\*b", "a*b", True),
        (r"a\*b", "axb", False),
        (r"\d", "d", True),
        (r"[\]a]", "]", True),
        (r"[x\-]", "-", True),
        (r"[\^a]", "^", True),
        ("[[*]", "*", True),
        ("a]", "a]", True),
        ("*[^a]*b", "x/yb", False),
        ("a.b", "axb", False),
        ("(a|b)+{2}$", "(a|b)+{2}$", True),
        ("[&&~~||--]", "", None),
        ("[&&~~||]", "~", True),
        ("*\n*", "a\nb", True),
        ("caf\udce9*", "caf\udce9.txt", True),
        ("[", "a", None),
        ("[]", "a", None),
        ("[]a]", "a", None),
        ("[-]", "-", None),
        ("[a-]", "a", None),
        ("[-x]", "x", None),
        ("[^", "a", None),
        ("[^]", "a", None),
        ("[a", "a", None),
        ("[^bc", "a", None),
        ("a[", "ab", None),
        ("\\", "a", None),
        ("no\\", "match", None),
        ("[\\", "a", None),
    ],
)
def test_rules(pattern: str, name: str, result: bool | None) -> None:
    if result is None:
        with pytest.raises(ValueError, match=r"."):
            wildcard.match(pattern, name)
        with pytest.raises(ValueError, match=r"."):
            wildcard.check(pattern)
    else:
        wildcard.check(pattern)
        assert wildcard.match(pattern, name) is result


@given(st.text("ab/*?[]^-\\", max_size=9), st.text("ab/-]", max_size=7))
def test_the_slow_model_agrees(pattern: str, name: str) -> None:
    try:
        slow_check(pattern)
    except Malformed:
        with pytest.raises(ValueError, match=r"."):
            wildcard.match(pattern, name)
        return
    assert wildcard.match(pattern, name) is slow_match(pattern, name)


@given(st.text())
def test_an_escaped_name_matches_only_itself(name: str) -> None:
    pattern = "".join("\\" + ch for ch in name)
    assert wildcard.match(pattern, name)
    assert not wildcard.match(pattern, name + "x")
    assert not wildcard.has_wildcard(pattern)


def test_has_wildcard() -> None:
    assert [wildcard.has_wildcard(text) for text in ("a*", "?", "x[", r"\\*")] == [True] * 4
    assert [wildcard.has_wildcard(text) for text in ("", "a", "]", r"\*\?\[", "\\")] == [False] * 5


def test_many_stars_take_no_time() -> None:
    start = time.monotonic()
    assert not wildcard.match("*a" * 30 + "*b", "a" * 2000)
    assert time.monotonic() - start < 5
