"""One mistake, one message; and what is left of the tree."""

from __future__ import annotations

import random

import pytest
from tests.lang.textual.parse.examples import HEADER, PROGRAMS, parsed

from pybuild.lang.textual import tree
from pybuild.lang.textual.trivia import allowed


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_lost_character_is_at_most_one_message(name: str) -> None:
    """Two where a string of several lines loses a quote: its text then stands as code."""
    text = PROGRAMS[name]
    chance = random.Random(name)
    for at in chance.sample(range(len(text)), min(len(text), 80)):
        said = [one for one in parsed(text[:at] + text[at + 1 :]).diagnostics if one.code != "W0802"]
        assert len(said) <= (2 if text[at] == '"' else 1), (at, [(one.code, one.title) for one in said])


@pytest.mark.parametrize("name", PROGRAMS)
def test_other_declarations_are_not_touched(name: str) -> None:
    """A line that means nothing, in place of any other, costs no declaration but its own."""
    text = PROGRAMS[name]
    rows = text.split("\n")
    before = [getattr(one, "name", None) for one in parsed(text).file.decls]
    for at, row in enumerate(rows):
        if (
            row.startswith("    ")
            and not row.startswith("     ")
            and row.strip()[:1].isalpha()
            and not row.endswith(":")
        ):
            if rows[at].count('"') % 2 or rows[at].count("[") != rows[at].count("]"):
                continue
            broken = [*rows[:at], "    ) what", *rows[at + 1 :]]
            after = [getattr(one, "name", None) for one in parsed("\n".join(broken)).file.decls]
            assert [one and one.name for one in after] == [one and one.name for one in before], row


@pytest.mark.parametrize(
    ("written", "keyword", "name"),
    [
        ("param p = 1", "param", "p"),
        ("let x 1", "let", "x"),
        ("target a for:\n    from scratch", "target", "a"),
        ("test a b:\n    from scratch", "test", "a"),
        ("def f:\n    run true", "def", "f"),
        ("group g", "group", "g"),
        ('use "./x.pybuild" as y with', "use", "y"),
        ("use x as", "use", None),
        ("use x y", "use", "x"),
        ("let 1 = x", "let", None),
        ("tagret a:", "tagret", "a"),
        ("target target a:", "target", "a"),
        ("let let a = 1", "let", "a"),
        ("a = 1", "a", "a"),
        ("@param a: int", "", "a"),
        ("param $a: int", "param", "a"),
        ("a b c", "a", None),
    ],
)
def test_a_broken_declaration_binds_its_name(written: str, keyword: str, name: str | None) -> None:
    (decl,) = parsed(f"{HEADER}{written}\n").file.decls
    assert isinstance(decl, tree.Broken)
    assert (decl.keyword, decl.name and decl.name.name) == (keyword, name)


def test_the_body_of_a_broken_header_is_kept() -> None:
    found = parsed(f"{HEADER}target a for x:\n    from scratch\n    if y\n        let z = 1\n")
    (decl,) = found.file.decls
    assert isinstance(decl, tree.Broken)
    inner = decl.body[1]
    assert isinstance(inner, tree.Broken)
    assert [type(one).__name__ for one in (*decl.body, *inner.body)] == ["From", "Broken", "Let"]
    assert [one.code for one in found.diagnostics] == ["E0110", "E0113"]


def test_an_empty_body_is_a_broken_one() -> None:
    (decl,) = parsed(f"{HEADER}target a:\n").file.decls
    assert isinstance(decl, tree.Target)
    assert [type(one).__name__ for one in decl.body] == ["Broken"]


@pytest.mark.parametrize(
    "text",
    [
        "let a = [\ntest if x else y,\n]\n",
        "let a = (\ncheck\n)\n",
        "let a = [\n    user for user in users\n]\n",
        "let a = [\n    cmd [0],\n    tag (1),\n    run not in x,\n]\n",
        'let a = {\n    run:\n    1,\n    "x": {else_: 2},\n}\n',
        "let a = f(\n    env=1,\n    copy\n    if b\n    else c,\n)\n",
    ],
)
def test_no_bracket_is_given_up_that_may_be_closed(text: str) -> None:
    assert [one.title for one in parsed(HEADER + text).diagnostics] == []


@pytest.mark.parametrize("opened", ["[1, 2", "(1", '{"a": 1', "f(a, [b]", '["x", f(', '"${{ f(x }}" + ('])
@pytest.mark.parametrize(
    "after", ["target b:\n    from scratch\n", "param b: str\n", 'let b = "x"\n', "default b\n"]
)
def test_an_open_bracket_does_not_swallow_the_file(opened: str, after: str) -> None:
    found = parsed(f"{HEADER}let a = {opened}\n{after}")
    assert [one.code for one in found.diagnostics] == ["E0110"]
    assert [isinstance(one, tree.Broken) for one in found.file.decls] == [True, False]


def test_allow_comments_are_of_the_line_below() -> None:
    found = parsed(
        f"{HEADER}# pybuild: allow W0601, W0602\nlet a = 1\n#pybuild:allow W0201\n# pybuild: deny W0201\n"
    ).file
    assert allowed(found) == {3: {"W0601", "W0602"}, 5: {"W0201"}}


def test_a_header_may_be_left_out_on_purpose() -> None:
    assert parsed("# pybuild: allow W0802\nlet a = 1\n").diagnostics == ()
