"""Texts that become values, and selections of the command line."""

from __future__ import annotations

import string
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.lang.textual.expand.programs import HEADER

from pybuild.lang.diagnostics import SourceError
from pybuild.lang.recipe import ParamSetting
from pybuild.lang.source import Source
from pybuild.lang.textual import tree
from pybuild.lang.textual.expand import params, selection
from pybuild.lang.textual.expand.values import Duration, Platform, Size, Value, Version
from pybuild.lang.textual.parse import parse

WORDS = st.text(min_size=1, max_size=8)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
VALUES: dict[str, st.SearchStrategy[Value]] = {
    "str": WORDS,
    "int": INTEGERS,
    "bool": st.booleans(),
    "duration": st.integers(0, 10_000).map(lambda number: Duration(number * 1_000_000)),
    "size": st.integers(0, 2**45).map(Size),
    "version": st.sampled_from(["1", "1.2.3", "2.0-rc1"]).map(Version),
    "platform": st.sampled_from(["linux/amd64", "linux/arm/v7"]).map(Platform),
    "list[str]": st.lists(WORDS).map(tuple),
    "list[int]": st.lists(INTEGERS).map(tuple),
    "list[bool]": st.lists(st.booleans()).map(tuple),
    "list[list[str]]": st.lists(st.lists(WORDS).map(tuple)).map(tuple),
    "list[duration]": st.lists(st.integers(0, 99).map(lambda number: Duration(number * 10**9))).map(tuple),
    "map[str]": st.dictionaries(WORDS, WORDS),
    "map[list[int]]": st.dictionaries(WORDS, st.lists(INTEGERS).map(tuple)),
}


def param(type: str) -> tree.Param:
    (decl,) = parse(Source("build.pybuild", f"{HEADER}param x: {type}\n")).file.decls
    assert isinstance(decl, tree.Param)
    return decl


def value(type: str, text: str) -> Value:
    return params.from_text(param(type), ParamSetting(text, "-p"))


def failure(work: Callable[[], object]) -> str:
    """The code of what goes wrong."""
    try:
        work()
    except SourceError as error:
        return error.diagnostic.code or "?"
    return ""


@given(st.data(), st.sampled_from(sorted(VALUES)))
def test_the_text_of_a_value_gives_it_back(data: st.DataObject, type: str) -> None:
    wanted = data.draw(VALUES[type])
    assert value(type, params.as_text(wanted)) == wanted


@given(st.text(), st.sampled_from([*sorted(VALUES), '"a" | "b"', "path", "ref"]))
def test_any_text_is_a_value_or_a_message(text: str, type: str) -> None:
    assert failure(lambda: value(type, text)) in ("", "E0603")


@pytest.mark.parametrize(
    ("type", "text", "wanted"),
    [
        ("int", "0x1F", 31),
        ("int", "0o17", 15),
        ("int", "1_000", 1000),
        ("int", "007", 7),
        ("int", "+5", 5),
        ("duration", "250ms", Duration(250_000_000)),
        ("duration", "1h", Duration(3600 * 10**9)),
        ("size", "64KB", Size(64_000)),
        ("size", "1TiB", Size(2**40)),
        ("size", "0B", Size(0)),
        ("list[str]", "a", ("a",)),
        ("list[str]", "a,,b", ("a", "", "b")),
        ("list[str]", ' ["a,b"]', ("a,b",)),
        ("list[size]", "1KB,2KB", (Size(1000), Size(2000))),
        ('list["a" | "b"]', "b,a", ("b", "a")),
        ("str", "true", "true"),
        ("str", "", ""),
    ],
)
def test_values_from_texts(type: str, text: str, wanted: Value) -> None:
    assert value(type, text) == wanted


@pytest.mark.parametrize(
    ("type", "text"),
    [
        ("int", ""),
        ("int", "1.0"),
        ("int", "١"),
        ("int", "9223372036854775808"),
        ("int", "1" * 5000),
        ("int", "1__"),
        ("bool", "True"),
        ("bool", "1"),
        ("duration", "5"),
        ("duration", "1.5s"),
        ("duration", "-1s"),
        ("duration", "99999999999999999h"),
        ("size", "64mb"),
        ("list[int]", "1,,2"),
        ("list[int]", "[1, true]"),
        ("list[int]", "[1.0]"),
        ("list[bool]", "[1]"),
        ("list[str]", "[1]"),
        ("list[str]", '["a"'),
        ("list[str]", "[" * 100_000),
        ("list[list[str]]", "a,b"),
        ("map[str]", "a=b"),
        ("map[str]", "[]"),
        ("map[str]", '{"a": "1", "a": "2"}'),
        ("map[int]", '{"a": null}'),
        ("platform", "amd64"),
        ("version", "one"),
        ("path", ""),
    ],
)
def test_texts_that_are_no_values(type: str, text: str) -> None:
    with pytest.raises(SourceError) as caught:
        value(type, text)
    assert caught.value.diagnostic.code == "E0603"


NAMES = st.text(string.ascii_letters + string.digits + "_", min_size=1)


@given(NAMES, st.dictionaries(NAMES, st.text(), max_size=3))
def test_quoted_selections_are_read_back(name: str, choices: dict[str, str]) -> None:
    escaped = {axis: text.replace("\\", "\\\\").replace('"', '\\"') for axis, text in choices.items()}
    inside = ", ".join(f'{axis}="{text}"' for axis, text in escaped.items())
    found = selection.parse(f"{name}[{inside}]")
    assert (found.name, dict(found.choices)) == (name, choices)


@given(st.text())
def test_any_text_is_a_selection_or_a_message(text: str) -> None:
    assert failure(lambda: selection.parse(text)) in ("", "E0706")


@pytest.mark.parametrize(
    ("text", "name", "choices"),
    [
        ("a", "a", {}),
        ("a[]", "a", {}),
        ("my-app", "my_app", {}),
        ("mod.my-app[x-y=a-b]", "mod.my_app", {"x_y": "a-b"}),
        ("a[p=linux/amd64]", "a", {"p": "linux/amd64"}),
        ("a[ x = 1 , y = 2 ]", "a", {"x": "1", "y": "2"}),
        ('a[x="1,2",]', "a", {"x": "1,2"}),
        ("a[x=]", "a", {"x": ""}),
        ("a[x=a=b]", "a", {"x": "a=b"}),
    ],
)
def test_selections(text: str, name: str, choices: dict[str, str]) -> None:
    found = selection.parse(text)
    assert (found.name, dict(found.choices)) == (name, choices)


@pytest.mark.parametrize(
    "text", ["", "[x=1]", "a[", "a]", "a[x]", "a[x=1,x=2]", 'a[x="1]', "a[=1]", "a[,]", "a[x=1]b"]
)
def test_texts_that_are_no_selections(text: str) -> None:
    with pytest.raises(SourceError):
        selection.parse(text)
