import itertools
import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pybuild.lang.diagnostics import SourceError, render
from pybuild.lang.dockerfile.ignore import Matcher, PatternError, State, read_patterns


def slow_regex(pattern: str) -> str:
    """One pattern as a regular expression over whole paths, the way patternmatcher puts it together."""
    if pattern.startswith("**") and not re.search(r"[*?\[\]\\]", pattern[2:]):
        rest = pattern[2:]
        return f".*{re.escape(rest)}" + (f"|{re.escape(rest[1:])}" if rest.startswith("/") else "")
    out, pos = "", 0
    while pos < len(pattern):
        ch = pattern[pos]
        pos += 1
        if pattern.startswith("**", pos - 1):
            pos += 1
            pos += pattern.startswith("/", pos)
            out += "(.*/)?" if pos < len(pattern) else ".*"
        elif ch == "*":
            out += "[^/]*"
        elif ch == "?":
            out += "[^/]"
        elif ch == "\\":
            out += re.escape(pattern[pos])
            pos += 1
        elif ch == "[":
            end = pattern.index("]", pos + 1)
            out += pattern[pos - 1 : end + 1]
            pos = end + 1
        else:
            out += re.escape(ch)
    return out


def slow_ignored(patterns: list[str], path: str) -> bool:
    """The walk spelled out: each directory on the way keeps which patterns were seen to match it."""
    parts = path.split("/")
    above = [False] * len(patterns)
    ignored = False
    for n in range(1, len(parts) + 1):
        ignored = False
        for number, pattern in enumerate(patterns):
            exception = pattern.startswith("!")
            if not above[number] and exception == ignored:
                regex = re.compile(slow_regex(pattern.removeprefix("!")), re.DOTALL)
                above[number] = regex.fullmatch("/".join(parts[:n])) is not None
            if above[number]:
                ignored = not exception
    return ignored


@pytest.mark.parametrize(
    ("lines", "ignored", "kept"),
    [
        (["node_modules"], ["node_modules", "node_modules/a/b"], ["x/node_modules", "node_modules2"]),
        (["/dist/"], ["dist", "dist/x"], ["a/dist"]),
        (["*.log"], ["a.log", ".log"], ["b/a.log"]),
        (["*/temp*"], ["a/temporary.txt", "a/temp/x"], ["temp", "a/b/temp"]),
        (["*/*/temp*"], ["a/b/temporary.txt"], ["a/temp"]),
        (["temp?"], ["tempa", "tempb/x"], ["temp", "tempab"]),
        (["**/*.go"], ["a.go", "a/b/c.go"], ["a.gox"]),
        (["**/foo"], ["foo", "a/foo", "a/b/foo/c"], ["afoo"]),
        (["**foo"], ["foo", "afoo", "x/afoo"], ["foox"]),
        (["**/foo/bar"], ["foo/bar", "a/foo/bar"], ["foo", "bar", "a/xfoo/bar"]),
        (["**foo/bar"], ["foo/bar", "xfoo/bar", "a/xfoo/bar"], ["foo/x/bar"]),
        (["**.pyc"], ["a.pyc", "a/b.pyc"], ["a.py"]),
        (["**a*"], ["ab", "x/ab"], ["xab"]),
        (["foo/**"], ["foo/a", "foo/a/b"], ["foo", "food"]),
        (["foo**"], ["foo", "food", "food/x"], ["x/foo"]),
        (["a*b**"], ["ab", "axb", "axbc/d"], ["a", "x/ab"]),
        (["a/**/b"], ["a/b", "a/x/b", "a/x/y/b/c"], ["a/xb", "b"]),
        (["a/**b"], ["a/b", "a/x/b"], ["a/xb"]),
        (["a**b"], ["ab", "a/b", "axy/b"], ["axb", "a/xb"]),
        (["a**/b"], ["ab", "ax/b", "a/x/b"], ["axb"]),
        (["**"], ["a", "a/b"], []),
        (["**/**"], ["a", "a/b"], []),
        (["*"], ["a", "a/b"], []),
        (["***"], ["a", "a/b"], []),
        (["."], [], ["a", "."]),
        (["/"], [], ["a"]),
        (["..", "../a"], [], ["a", "b"]),
        (["a/../b", "./c", "d//e"], ["b", "c", "d/e"], ["a"]),
        (["[a-c]x", "[^a-y]"], ["bx", "z"], ["dx", "y"]),
        (["d[^x]f"], ["d/f", "def"], ["dxf", "d"]),
        ([r"\*\*", r"a/\*\*\*"], ["**", "a/***"], ["a", "*", "b/**", "a/b", "***"]),
        ([r"\*", r"\!x", r"a\?"], ["*", "!x", "a?"], ["b", "ab"]),
        (["a+(b)|{c}^$"], ["a+(b)|{c}^$"], ["aab"]),
        (["*.{js,ts}"], ["a.{js,ts}"], ["a.js"]),
        (["# not a comment here".lstrip("# "), "#x", " #y"], ["#y", "not a comment here"], ["#x"]),
        (["*.md", "!README.md"], ["A.md"], ["README.md"]),
        (["*.md", "!README*.md", "README-secret.md"], ["A.md", "README-secret.md"], ["README-x.md"]),
        (["!README.md", "*.md"], ["README.md"], []),
        (["*", "!src", "src/x"], ["a", "src/x/y"], ["src", "src/y"]),
        (["a", "!a/b", "a"], ["a", "a/c"], ["a/b"]),
        (["*/tmp", "!a"], ["a/tmp"], ["a", "a/x"]),
        (["**", "!*/*/x", r"a\**"], ["a*"], ["a*b/c/x", "a*/c/x"]),
        (["**", "!*/*/x", "a**"], ["ab/c/x", "a"], ["b/c/x"]),
        (["**", "!*/*/x", "**/a/**"], ["a/c/x", "c/a/x"], ["b/c/x"]),
        (["**/*.pyc", "!src", "!**/b.pyc"], ["src/a.pyc"], ["src/b.pyc"]),
        (["a", "! /a/b/c"], ["a", "a/b", "a/b/d"], ["a/b/c", "a/b/c/d"]),
        (["**", "!**/*.py"], ["a", "a/b.txt"], ["x.py", "a/b.py", "a.py/x"]),
    ],
)
def test_rules(lines: list[str], ignored: list[str], kept: list[str]) -> None:
    matcher = Matcher(read_patterns("\n".join(lines)))
    assert [path for path in ignored if not matcher.matches(path)] == []
    assert [path for path in kept if matcher.matches(path)] == []


def test_reading_a_file() -> None:
    text = "\ufeff# comment\r\n  node_modules/ \r\n\r\n\t\n ! /a//b \n/x/../y\n/\n.\n #z\n!#q"
    assert read_patterns(text) == ["node_modules", "!a/b", "y", "/", ".", "#z", "!#q"]
    assert read_patterns("") == []


def test_a_bad_pattern_names_file_and_line() -> None:
    with pytest.raises(PatternError) as caught:
        read_patterns("ok\n\n  !a/[b \n", "sub/Dockerfile.dockerignore")
    assert isinstance(caught.value, SourceError)
    assert isinstance(caught.value, ValueError)
    assert render(caught.value.diagnostic) == (
        "error: bad ignore pattern '!a/[b'\n"
        " --> sub/Dockerfile.dockerignore:3:3\n"
        "  |\n"
        "3 |   !a/[b\n"
        "  |   ^^^^^ brackets are not closed\n"
        "  |\n"
        "  = help: a backslash makes '*', '?', '[' and '\\' plain characters"
    )


@pytest.mark.parametrize("bad", ["!", " ! ", "!/", "a\\", "[", "x[]", "!["])
def test_bad_patterns(bad: str) -> None:
    with pytest.raises(PatternError):
        read_patterns(bad)
    with pytest.raises(PatternError):
        Matcher(["a", bad])


def test_pruning() -> None:
    matcher = Matcher(["a", "b", "!b/keep/x", "c", "!**/deep", "c/deep/**", "d", "!d/y", "d"])
    assert matcher.may_have_exceptions_below("a")
    root = matcher.root()
    assert not root.ignored
    assert not root.prunable
    assert not root.enter("other").prunable
    assert not root.enter("d").prunable
    assert root.enter("d").enter("x").prunable
    assert not root.enter("d").ignores("y")
    without_deep = Matcher(["a", "b", "!b/keep/x", "c"])
    root = without_deep.root()
    assert root.enter("a").prunable
    assert not root.enter("b").prunable
    assert root.enter("b").enter("lose").prunable
    assert not root.enter("b").enter("keep").prunable
    assert root.enter("b").enter("keep").enter("y").prunable
    assert not root.enter("b").enter("keep").enter("x").ignored
    assert without_deep.may_have_exceptions_below("b/keep")
    assert not without_deep.may_have_exceptions_below("b/keep/y")
    assert not without_deep.may_have_exceptions_below("c")
    assert Matcher(["e", "!e[^x]f"]).may_have_exceptions_below("e")


COMPONENT = st.text("ab*?", min_size=1, max_size=3) | st.sampled_from(
    ["**", "[ab]", "[^a]", r"\*", r"\*\*", "a**", "**b", "a**b"]
)
PATTERN = st.builds(
    lambda mark, parts: mark + "/".join(parts),
    st.sampled_from(["", "", "!"]),
    st.lists(COMPONENT, min_size=1, max_size=4),
)
TREE = ["/".join(p) for n in range(1, 5) for p in itertools.product(("a", "b", "ab", "**"), repeat=n)]
PATH = st.lists(st.text("ab*", min_size=1, max_size=3), min_size=1, max_size=5).map("/".join)


@given(st.lists(PATTERN, max_size=5), st.lists(PATH, max_size=10))
@example(["a", "!a/b", "a"], ["a/b"])
@example(["**", "!a**/b"], ["ab", "a/b"])
def test_the_slow_model_agrees(patterns: list[str], paths: list[str]) -> None:
    matcher = Matcher(patterns)
    assert [matcher.matches(path) for path in paths] == [slow_ignored(patterns, path) for path in paths]


@given(st.lists(PATTERN, max_size=4))
def test_a_pruned_walk_keeps_the_same_files(patterns: list[str]) -> None:
    matcher = Matcher(patterns)
    kept = []

    def walk(state: State, prefix: str) -> None:
        for name in ("a", "b", "ab", "**"):
            path = prefix + name
            if path.count("/") < 3:
                below = state.enter(name)
                assert below.ignored == state.ignores(name)
                assert below.exceptions_below == matcher.may_have_exceptions_below(path)
                if not below.prunable:
                    walk(below, path + "/")
            if not state.ignores(name):
                kept.append(path)

    walk(matcher.root(), "")
    assert sorted(kept) == sorted(path for path in TREE if not slow_ignored(patterns, path))


@given(st.lists(st.text("ab*?[]^-\\!#/. \n", max_size=8), max_size=4))
def test_any_text_is_patterns_or_an_error(lines: list[str]) -> None:
    try:
        patterns = read_patterns("\n".join(lines))
    except PatternError as error:
        render(error.diagnostic)
        return
    Matcher(patterns).matches("a/b")


@pytest.mark.growth
def test_a_large_tree_is_cheap() -> None:
    lines = [
        "node_modules",
        ".git",
        "**/*.pyc",
        "**/__pycache__",
        "dist",
        "*.md",
        "!README.md",
        "**/.env*",
        "**/*.log",
    ]
    lines += ["build", "coverage/**", "docs/*/tmp", "**/*.swp", "**/*~", "a/b/c", "*.bak", "**/Thumbs.db"]
    matcher = Matcher(lines)
    names = [f"file{n}.txt" for n in range(100)]
    start = time.perf_counter()
    count = 0
    for n in range(500):
        state = matcher.root().enter("src").enter(f"d{n}")
        count += sum(not state.ignores(name) for name in names)
    assert count == 50_000
    assert time.perf_counter() - start < 20
