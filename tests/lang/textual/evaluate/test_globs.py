"""Patterns of paths against a matcher that is slow and plainly right."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.lang.textual.evaluate.scenes import located
from tests.lang.textual.worlds import MemoryPlace

from pybuild.lang.diagnostics import SourceError
from pybuild.lang.textual.expand import globs

NAMES = st.sampled_from(["a", "b", "ab", ".a", "a*b", "a?"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
PARTS = st.sampled_from(["a", "b", "*", "**", "?", "a*", "*b", "[ab]", "[^a]*", "a\\*b", "a\\?", "?*"])
PATTERNS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)


def tree_of(files: list[str]) -> dict[str, str]:
    """Files without those that lie in another's place."""
    return {name: "" for name in files if not any(other.startswith(name + "/") for other in files)}


def everything(files: dict[str, str]) -> list[str]:
    """All paths, directories too."""
    parts = (name.split("/") for name in files)
    return sorted({"/".join(part[: at + 1]) for part in parts for at in range(len(part))}, key=str.encode)


def naive(pattern: list[str], path: list[str]) -> bool:
    if not pattern:
        return not path
    if pattern == ["**"]:
        return bool(path)
    if pattern[0] == "**":
        return naive(pattern[1:], path) or (bool(path) and naive(pattern, path[1:]))
    return bool(path) and component(pattern[0], path[0]) and naive(pattern[1:], path[1:])


def component(pattern: str, name: str) -> bool:
    if not pattern:
        return not name
    if pattern[0] == "*":
        return any(component(pattern[1:], name[at:]) for at in range(len(name) + 1))
    if pattern[0] == "[":
        inside, rest = pattern[1:].split("]", 1)
        fits = bool(name) and (name[0] in inside.strip("^")) is not inside.startswith("^")
        return fits and component(rest, name[1:])
    if pattern[0] == "\\":
        return name[:1] == pattern[1] and component(pattern[2:], name[1:])
    return (name[:1] == pattern[0] or (pattern[0] == "?" and name != "")) and component(pattern[1:], name[1:])


@settings(deadline=None)
@given(st.lists(PATHS, max_size=8), PATTERNS)
def test_a_pattern_matches_what_the_naive_matcher_says(files: list[str], pattern: str) -> None:
    there = tree_of(files)
    expected = [path for path in everything(there) if naive(pattern.split("/"), path.split("/"))]
    assert globs.match(MemoryPlace(there), pattern) == expected


@settings(deadline=None)
@given(st.lists(PATHS, max_size=8), PATTERNS)
def test_matches_lie_below_the_fixed_directory(files: list[str], pattern: str) -> None:
    before = globs.fixed(pattern)
    for path in globs.match(MemoryPlace(tree_of(files)), pattern):
        assert before == "." or path.startswith(before + "/")


@settings(deadline=None)
@given(st.lists(PATHS, max_size=6), st.lists(PATTERNS, max_size=3))
def test_the_reason_is_the_pattern_that_hides(files: list[str], patterns: list[str]) -> None:
    ignored = globs.Ignored((), located(*patterns))
    for path in tree_of(files):
        if ignored.hides(path, "file"):
            at = ignored.patterns.index(ignored.reason(path))
            assert not globs.Ignored((), located(*patterns[:at])).hides(path, "file")
            assert globs.Ignored((), located(*patterns[: at + 1])).hides(path, "file")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (".", "."),
        ("/", "."),
        ("", "."),
        ("a//b/./c/", "a/b/c"),
        ("/a", "a"),
        ("a/..", "."),
        ("a/../b", "b"),
        ("..", None),
        ("a/../../b", None),
        ("/..", None),
    ],
)
def test_normal(path: str, expected: str | None) -> None:
    assert globs.normal(path) == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.py", "."),
        ("src/*.py", "src"),
        ("src/**/*.py", "src"),
        ("a\\*/b/c?", "a*/b"),
        ("a/b", "a"),
        ("a", "."),
        ("*/a/b", "."),
    ],
)
def test_fixed(pattern: str, expected: str) -> None:
    assert globs.fixed(pattern) == expected


FILES = {"a.py": "", "docs/a.md": "", "docs/keep/b.md": "", "lib/a.py": "", "build/x": ""}


@pytest.mark.parametrize(
    ("own", "pattern", "expected"),
    [
        ((), "*", ["a.py", "build", "docs", "lib"]),
        (("docs",), "*", ["a.py", "build", "lib"]),
        (("docs",), "**/*.md", []),
        (("docs", "!docs/keep"), "*", ["a.py", "build", "docs", "lib"]),
        (("docs", "!docs/keep"), "docs/*", ["docs/keep"]),
        (("docs", "!docs/keep"), "**/*.md", ["docs/keep/b.md"]),
        (("/build", "*.py"), "*", ["docs", "lib"]),
        (("/build", "**/*.py"), "**", ["docs", "docs/a.md", "docs/keep", "docs/keep/b.md", "lib"]),
        (("!docs",), "docs", ["docs"]),
    ],
)
def test_what_is_ignored_matches_nothing(own: tuple[str, ...], pattern: str, expected: list[str]) -> None:
    assert globs.match(MemoryPlace(FILES), pattern, globs.Ignored((), located(*own))) == expected


def test_patterns_of_the_ignore_file_come_first_and_have_no_place() -> None:
    ignored = globs.Ignored(("docs", "lib"), located("!docs", "a.py"))
    assert not ignored.hides("docs/a.md", "file")
    assert ignored.hides("lib/a.py", "file")
    assert ignored.reason("lib/a.py").span is None
    assert ignored.reason("a.py").span is not None


@pytest.mark.parametrize("pattern", ["[", "a/[b", "!", "![a-"])
def test_a_bad_pattern_of_an_ignore_is_told_at_its_place(pattern: str) -> None:
    with pytest.raises(SourceError) as caught:
        globs.Ignored((), located("docs", pattern))
    assert caught.value.diagnostic.code == "E0309"
    assert caught.value.diagnostic.span is not None


class Linked(MemoryPlace):
    """`to` is a link to the directory `d`."""

    def kind(self, path: str) -> str | None:
        return "link" if path == "to" else super().kind(path.replace("to", "d", 1))

    def names(self, path: str) -> list[str]:
        if path == ".":
            return ["d", "to"]
        return super().names(path.replace("to", "d", 1))


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("to/x", ["to/x"]),
        ("to/*", ["to/x"]),
        ("*/x", ["d/x", "to/x"]),
        ("**/x", ["d/x"]),
        ("**", ["d", "d/x", "to"]),
    ],
)
def test_links_to_directories(pattern: str, expected: list[str]) -> None:
    assert globs.match(Linked({"d/x": ""}), pattern) == expected


@pytest.mark.parametrize("pattern", ["[", "a/[b", "[a/b]", "x\\"])
def test_malformed_patterns(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"brackets|backslash"):
        globs.match(MemoryPlace(FILES), pattern)


def test_many_stars_take_no_exponential_time() -> None:
    deep = "/".join("a" * 30)
    assert globs.match(MemoryPlace({deep: ""}), "/".join(["**", "a"] * 12) + "/b") == []


def test_every_directory_looked_at_is_counted() -> None:
    seen: list[int] = []
    globs.match(MemoryPlace({f"d{n}/f": "" for n in range(10)}), "*/f", visit=seen.append)
    assert sum(seen) == 20


def _all(place: MemoryPlace) -> Iterator[str]:
    yield from globs.match(place, "**")


def test_order_is_bytewise() -> None:
    assert list(_all(MemoryPlace({"é": "", "z": "", "Z": "", "\U0001f600": "", "\uffee": ""}))) == [
        "Z",
        "z",
        "é",
        "\uffee",
        "\U0001f600",
    ]
