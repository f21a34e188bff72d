"""Small programs and their form (`cases/*.md`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lang.textual.fmt.laws import comments, formatted, meaning

_CASE = re.compile(r"^## (?P<title>.+?)\n(?P<rest>.*?)(?=^## |\Z)", re.M | re.S)
_FENCE = re.compile(r"^```pybuild\n(.*?)^```$", re.M | re.S)


def cases() -> Iterator[tuple[str, str, str]]:
    for path in sorted((Path(__file__).parent / "cases").glob("*.md")):
        for match in _CASE.finditer(path.read_text()):
            blocks = _FENCE.findall(match["rest"])
            assert len(blocks) in (1, 2), match["title"]
            yield f"{path.stem}: {match['title']}", blocks[0], blocks[-1]


CASES = list(cases())


@pytest.mark.parametrize(("written", "expected"), [one[1:] for one in CASES], ids=[one[0] for one in CASES])
def test_case(written: str, expected: str) -> None:
    made = formatted(written)
    assert made == expected
    assert formatted(made) == made
    assert meaning(made) == meaning(written)
    assert sorted(text for _, text in comments(made)) == sorted(text for _, text in comments(written))


@pytest.mark.parametrize(("written", "expected"), [("", ""), ("\n \n", ""), ("let a = 1", "let a = 1\n")])
def test_ends(written: str, expected: str) -> None:
    assert formatted(written) == expected


def test_line_ends() -> None:
    assert formatted("let a = 1\r\ntarget b:\r\n    from 'x'\r\n    run:\r\n        c\r\n        d\r\n") == (
        'let a = 1\n\ntarget b:\n    from "x"\n    run:\n        c\n        d\n'
    )
