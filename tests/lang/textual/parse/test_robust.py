"""There is an answer to any text, in time that grows with it."""

from __future__ import annotations

import random
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.lang.textual.parse.examples import HEADER, PROGRAMS, parsed

from pybuild.lang.diagnostics import SourceError, render
from pybuild.lang.textual.codes import CODES
from pybuild.lang.textual.parse import LARGEST, decode
from pybuild.lang.textual.plain import from_plain, to_plain
from pybuild.lang.textual.tables import ACTIONS

pytestmark = pytest.mark.long

TERMINALS = {kind for row in ACTIONS for kind in row if re.fullmatch("[$A-Z_]{2,}", kind)}


def answer(text: str) -> list[str | None]:
    """The codes of what is said of a text; all that holds for any text holds."""
    found = parsed(text)
    rows = text.split("\n")
    for one in found.diagnostics:
        assert one.code in CODES
        assert one.span is not None
        assert 1 <= one.span.line <= len(rows)
        assert 1 <= one.span.column <= len(rows[one.span.line - 1]) + 1
        shown = re.sub(r"`[^`]*`", "", " ".join([one.title, *(label.text for label in one.labels)]))
        assert not TERMINALS & set(shown.split())
        render(one)
    places = [(one.span.line, one.span.column) for one in found.diagnostics if one.span]
    assert places == sorted(places)
    from_plain(to_plain(found.file), found.file.source)
    return [one.code for one in found.diagnostics]


@given(st.text())
def test_any_text(text: str) -> None:
    answer(text)


WORDS = st.sampled_from(
    [
        *"()[]{}:,=\"'#$.\\|\t",
        *("\n", "\n    ", "\n        ", " ", "${{", "}}", '"""', "\r\n", "é", "\0", "->", "1", "3.1", "a"),
        *(
            "target a",
            "let x",
            "run",
            "run:",
            "if",
            "else",
            "elif",
            "for",
            "in",
            "with",
            "from",
            "to",
            "copy",
        ),
        *("use", "def", "not"),
    ]
)


@settings(max_examples=200)
@given(st.lists(WORDS, max_size=40).map("".join))
def test_any_words(text: str) -> None:
    answer(HEADER + text)


@given(
    st.sampled_from(sorted(PROGRAMS)),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 30), WORDS), max_size=4),
)
def test_programs_with_changes(name: str, changes: list[tuple[int, int, str]]) -> None:
    text = PROGRAMS[name]
    for at, size, new in changes:
        at %= len(text) + 1
        text = text[:at] + new + text[at + size :]
    answer(text)


DEEP = 5000
LARGE = {
    "parentheses": "let a = " + "(" * DEEP + "1" + ")" * DEEP,
    "lists": "let a = " + "[" * DEEP + "]" * DEEP,
    "maps": "let a = " + '{"a": ' * DEEP + "1" + "}" * DEEP,
    "calls": "let a = " + "f(" * DEEP + ")" * DEEP,
    "open brackets": "let a = " + "(" * 40_000,
    "open brackets in rows": "let a = " + "(\n" * 20_000,
    "sums": "let a = 1" + "+1" * DEEP,
    "negations": "let a = " + "not " * DEEP + "x",
    "members": "let a = a" + ".b" * DEEP,
    "choices": "let a = " + "a if b else " * DEEP + "c",
    "interpolations": "let a = " + '"${{' * DEEP + "x" + '}}"' * DEEP,
    "open interpolations": "let a = " + '"${{' * 20_000,
    "blocks": "target a:\n" + "".join(" " * n + "if x:\n" for n in range(1, 600)) + " " * 600 + "run x",
    "types": "param a: " + "list[" * DEEP + "str" + "]" * DEEP,
}


@pytest.mark.parametrize("name", LARGE)
def test_deep_nesting_is_answered_once(name: str) -> None:
    codes = answer(HEADER + LARGE[name] + "\nlet after = 1\n")
    assert codes == (["E0110"] if "bracket" in name else ["E0105"] if "open inter" in name else ["E0703"])


def test_two_hundred_levels_are_fine() -> None:
    assert answer(f"{HEADER}let a = {'(' * 199}1{')' * 199}\n") == []
    assert answer(f"{HEADER}let a = {'(' * 201}1{')' * 201}\n") == ["E0703"]


GROWING = {
    "a long string": lambda n: 'let a = "' + "x" * n * 20 + '"\n',
    "interpolations": lambda n: 'let a = "' + "${{x}}" * n + '"\n',
    "a long list": lambda n: "let a = [" + "1, " * n + "]\n",
    "lets": lambda n: "let a = 1\n" * n,
    "statements": lambda n: "target a:\n" + "    run true\n" * n,
    "mistakes": lambda n: "target a:\n" + "    foo bar\n" * n,
    "strings that never end": lambda n: 'x\\"""\n' * n,
    "open long strings": lambda n: 'let a = """${{\n' * n,
    "mismatched brackets": lambda n: "let a = " + "(]" * n + "\n",
    "mismatched brackets in text": lambda n: 'let a = ["${{' + "(" * n + "]" * n + '}}"]\n',
    "closing brackets": lambda n: "let a = " + ")" * n + "\n",
    "elifs": lambda n: "target a:\n    if x:\n        run a\n" + "    elif y:\n        run b\n" * n,
    "empty scripts": lambda n: "target a:\n" + "    run:\n\n\n" * n,
    "continued lines": lambda n: "target a:\n    run " + "\\\n" * n,
    "raw interpolations": lambda n: "target a:\n    run:\n" + "        ${{x}} $${{\n" * n,
    "wide indentation": lambda n: 'let a = """\n' + (" " * 1000 + "x\n") * (n // 50) + '"""\n',
    "comments": lambda n: "# x\n" * n,
    "dollars": lambda n: 'let a = "' + "${a" * n + '"\n',
    "digits": lambda n: "let a = " + "9" * n * 20 + "\n",
}


@pytest.mark.growth
@pytest.mark.parametrize("name", GROWING)
def test_time_grows_with_the_text(name: str) -> None:
    def took(size: int) -> float:
        text = HEADER + GROWING[name](size)
        best = 9.0
        for _ in range(2):
            start = time.process_time()
            parsed(text)
            best = min(best, time.process_time() - start)
        return best

    assert took(16_000) < 110 * max(took(1_000), 0.002)  # 256 if it grew with the square


def test_thousands_of_targets() -> None:
    body = '    from "x:${{{{v}}}}"\n    copy "a{n}" to "/app/"\n    run make -j{n} all\n    env A = "b"\n\n'
    one = "target t{n}:\n" + body
    text = HEADER + "".join(one.format(n=n) for n in range(3_000))
    start = time.process_time()
    found = parsed(text)
    assert len(found.file.decls) == 3_000
    assert not found.diagnostics
    assert time.process_time() - start < 3


@pytest.mark.parametrize(
    ("data", "code", "place"),
    [
        (b"\xef\xbb\xbflet a = 1", "E0100", "f:1:1"),
        (b"let a = 1\nlet b = '\xc3\xa9\xff'", "E0100", "f:2:11"),
        (b"\xed\xa0\x80", "E0100", "f:1:1"),
        (b" " * (LARGEST + 1), "E0703", None),
    ],
)
def test_bytes_that_are_no_file(data: bytes, code: str, place: str | None) -> None:
    with pytest.raises(SourceError) as caught:
        decode("f", data)
    diagnostic = caught.value.diagnostic
    assert (diagnostic.code, diagnostic.span and diagnostic.span.place) == (code, place)


def test_bytes_are_text() -> None:
    assert decode("f", "é\r\n\r".encode()).text == "é\n\r"
    assert decode("f", b" " * LARGEST).text == " " * LARGEST


def test_the_same_text_gives_the_same_answer() -> None:
    chance = random.Random(1)
    for text in PROGRAMS.values():
        at = chance.randrange(len(text))
        broken = text[:at] + text[at + 2 :]
        assert [render(one) for one in parsed(broken).diagnostics] == [
            render(one) for one in parsed(broken).diagnostics
        ]
