"""Trees as plain values."""

from __future__ import annotations

import marshal
import subprocess
import sys
from typing import Any

import pytest
from attrs import fields
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.lang.textual.parse.examples import HEADER, PROGRAMS, nodes, parsed

from pybuild.lang.source import Source
from pybuild.lang.textual import tree
from pybuild.lang.textual.plain import from_plain, to_plain


def rows(file: tree.File) -> list[Any]:
    """All that a tree says, in order."""
    out: list[Any] = [file.span]
    extra = [*file.comments, *([file.header] if file.header else [])]
    for node in (*nodes(file), *extra):
        plain = [getattr(node, field.name) for field in fields(type(node))]
        out.append((type(node).__name__, [one for one in plain if not isinstance(one, tree.Node | tuple)]))
    return out


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_file_comes_back_as_it_was(name: str) -> None:
    source = Source(name, PROGRAMS[name])
    from pybuild.lang.textual.parse import parse

    before = parse(source).file
    after = from_plain(marshal.loads(marshal.dumps(to_plain(before))), source)
    assert rows(after) == rows(before)
    assert to_plain(after) == to_plain(before)


def test_broken_files_come_back_too() -> None:
    before = parsed(f"{HEADER}target a for:\n    from\n").file
    assert rows(from_plain(to_plain(before), before.source)) == rows(before)


def changed(value: Any, at: int, new: Any) -> tuple[Any, int]:
    """A plain value with its `at`-th member replaced."""
    if at == 0:
        return new, -1
    at -= 1
    if not isinstance(value, tuple):
        return value, at
    out = []
    for one in value:
        if at >= 0:
            one, at = changed(one, at, new)
        out.append(one)
    return tuple(out), at


@settings(max_examples=100)
@given(
    st.integers(0, 2500),
    st.one_of(st.none(), st.integers(-3, 500), st.text(), st.just(()), st.tuples(st.integers())),
)
def test_anything_else_is_refused_or_a_tree(at: int, new: Any) -> None:
    source = Source("x", PROGRAMS["2_web.pybuild"])
    value, _ = changed(to_plain(parsed(source.text).file), at, new)
    try:
        found = from_plain(value, source)
    except ValueError:
        return
    for node in nodes(found):
        assert isinstance(node, tree.Node)


@pytest.mark.parametrize(
    "value", [None, (), 1, (1, None, (), ()), (0, None, (), (), ()), (1, 0, (), (), ()), [1] * 5]
)
def test_no_trees(value: object) -> None:
    with pytest.raises(ValueError, match="not a tree"):
        from_plain(value, Source("x", ""))


def test_reading_needs_no_lark_and_parsing_neither() -> None:
    code = (
        "import sys, pybuild.lang.textual.plain, pybuild.lang.textual.parse; sys.exit('lark' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
