"""Pairs of a program in the language and one in Python that must come to the same recipe (`cases/*.md`).

A case has a `pybuild` and a `python` block. Where neither declares anything they are bodies, of targets that start
with an image. `asked` is as in `textual/expand`; without it all targets are wanted. `files` has texts of modules,
each behind a line `=== NAME`.
"""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import indent

import pytest
from attrs import frozen
from tests.lang.python.twins import NOTHING, recipe_of_python, recipe_of_text, shape
from tests.lang.textual.expand.programs import HEADER, Asked
from tests.lang.textual.expand.programs import asked as read_asked
from tests.lang.textual.worlds import World

from pybuild.lang.textual.expand.options import EVERYTHING

CASES = Path(__file__).parent / "cases"
_CASE = re.compile(r"^## (?P<title>.+?)\n(?P<rest>.*?)(?=^## |\Z)", re.M | re.S)
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
_DECLARES = re.compile(r"^(target|test|def|use|param|group) ", re.M)
FILES = {
    "a.txt": "text\n",
    "requirements.txt": "",
    "lines": "one\ntwo\n",
    "src/a.py": "",
    "src/b.py": "",
    "layout/index.json": "{}",
    "layout/oci-layout": "{}",
    "p.toml": '[project]\nversion = "1.2"\n',
    "p.json": '{"a": {"b": 3}}',
    "Dockerfile": "FROM scratch AS one\nFROM one AS two\n",
}


@frozen
class Pair:
    text: str
    python: str
    asked: Asked
    files: dict[str, str]

    def world(self) -> World:
        return World({**FILES, **self.files, "build.pybuild": self.text, "build.py": self.python})


def pairs() -> list[object]:
    return [
        pytest.param(_pair(found["rest"]), id=f"{path.stem}: {found['title']}")
        for path in sorted(CASES.glob("*.md"))
        for found in _CASE.finditer(path.read_text())
    ]


def _pair(rest: str) -> Pair:
    blocks = dict(_FENCE.findall(rest))
    text, python = blocks["pybuild"], blocks["python"]
    if not _DECLARES.search(text):
        text = 'target a:\n    from "base"\n' + indent(text, "    ")
        python = '@pb.target\ndef a(t):\n    t.from_("base")\n' + indent(python, "    ")
    names = re.split(r"^=== (\S+)\n", blocks.get("files", ""), flags=re.M)
    files = {name: HEADER + body for name, body in zip(names[1::2], names[2::2], strict=True)}
    asked = Asked(EVERYTHING)
    if "asked" in blocks:
        asked, _ = read_asked(blocks["asked"])
        asked = Asked(EVERYTHING, asked.params, asked.platforms) if asked.wanted == NOTHING.wanted else asked
    return Pair(HEADER + text, "import pybuild as pb\n" + python, asked, files)


@pytest.mark.parametrize("pair", pairs())
def test_both_come_to_the_same(pair: Pair) -> None:
    text = shape(recipe_of_text(pair.world(), pair.asked))
    python = shape(recipe_of_python(pair.world(), pair.asked))
    read = text.pop("params")
    assert {name: python["params"][name] for name in read} == read
    del python["params"]
    assert python == text
