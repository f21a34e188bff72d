"""The specification (`docs/language/spec.md`) agrees with the grammar, the tables of built-ins and the sections
that the code cites. `test_language_pages.py` checks its programs, values and generated tables.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.docs.builttables import grammar_rules
from tests.docs.examples import ROOT, Block, blocks
from tests.docs.programs import PAGES
from tests.docs.test_python_pages import anchors
from tests.lang.python.twins import recipe_of_python, recipe_of_text, shape
from tests.lang.textual.expand.programs import Asked
from tests.lang.textual.worlds import World

from pybuild.lang.textual import builtins
from pybuild.lang.textual.codes import CODES
from pybuild.lang.textual.expand.options import EVERYTHING
from pybuild.lang.textual.types import NAMED

SPEC = PAGES / "spec.md"
TEXT = SPEC.read_text("utf-8")
SECTIONS = [int(number) for number in re.findall(r"^## (\d+)\. ", TEXT, re.MULTILINE)]
FOLDERS = ("lang", "compiler", "runtime", "src", "stdlib", "tests")

_GAP = r"(?:\s|#|//)+"
"""White space, also across a line end in a comment."""
_CITATION = re.compile(
    rf"\bspec(?:ification)?(?:'s|,)?{_GAP}\(?sections?{_GAP}"
    rf"(?P<first>\d+)(?:(?:,|{_GAP}(?:to|and)){_GAP}(?P<second>\d+))?",
    re.IGNORECASE,
)


def section(number: int) -> str:
    """The text of a section, without its heading."""
    found = re.search(rf"^## {number}\. [^\n]*\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found is not None, number
    return found[1]


def column(text: str, head: str) -> list[str]:
    """The cells of the first column of the tables whose first heading is `head`."""
    cells: list[str] = []
    inside = False
    for line in text.splitlines():
        # A `\|` is a part of a cell.
        first = re.split(r"(?<!\\)\|", line)[1].strip() if line.startswith("|") else None
        if first is None:
            inside = False
        elif inside and set(first) - set("-"):
            cells.append(first)
        elif not inside:
            inside = first == head
    return cells


def quoted(cells: list[str]) -> list[str]:
    """The texts in backticks in the cells."""
    return [one for cell in cells for one in re.findall(r"`([^`]+)`", cell)]


def called(cells: list[str]) -> list[str]:
    """The names of the functions whose calls the cells show."""
    return [re.sub(r"^[sm]\.|\(.*", "", call) for call in quoted(cells)]


def starts(number: int) -> set[str]:
    """The first words of the statements or declarations that a section sets in bold."""
    bold = re.findall(r"\*\*`([a-z_]+)", section(number))
    return set(bold)


def test_sections_are_numbered_without_gaps() -> None:
    assert list(range(23)) == SECTIONS


def test_the_appendix_is_the_grammar() -> None:
    (shown,) = (block.text for block in blocks(SPEC) if block.kind == "lark")
    assert shown == grammar_rules()


def test_functions_are_those_that_are_built_in() -> None:
    known = [one.name for one in builtins.FUNCTIONS.values() if one.kind == "function"]
    assert called(column(section(10), "function")) == known


def test_sources_are_those_that_are_built_in() -> None:
    known = [one.name for one in builtins.FUNCTIONS.values() if one.kind == "source"]
    assert called(column(section(10), "source")) == known


def test_run_options_are_those_that_are_built_in() -> None:
    assert called(column(section(10), "option")) == list(builtins.OPTIONS)


def test_methods_are_those_that_are_built_in() -> None:
    known = [one.name for methods in builtins.METHODS.values() for one in methods]
    assert called(column(section(6), "method")) == known


def test_values_are_those_that_are_built_in() -> None:
    assert quoted(column(section(10), "Value")) == list(builtins.VALUES)
    assert set(quoted(column(section(6), "value"))) == set(builtins.MEMBERS)


def test_types_are_those_that_are_built_in() -> None:
    listed = quoted(column(section(6), "Type"))
    assert {one for one in listed if one.isidentifier()} == set(NAMED)
    assert {"list[T]", "map[T]"} <= set(listed)


def test_options_of_statements_are_those_that_are_built_in() -> None:
    known = [word for word, options in builtins.STATEMENTS.items() for _ in options]
    assert quoted(column(section(9), "statement")) == known


def test_every_statement_has_its_paragraph() -> None:
    assert starts(9) == builtins.BODY_KEYWORDS | {"if", "elif", "else", "for", "with"}


def test_every_declaration_has_its_paragraph() -> None:
    assert starts(8) == builtins.TOP_KEYWORDS


def test_every_code_exists() -> None:
    assert set(re.findall(r"\b[EWR]\d{4}\b", TEXT)) == set(CODES)


def test_links_lead_to_headings() -> None:
    for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", TEXT):
        assert anchor in anchors(SPEC.parent / target if target else SPEC), anchor


# Twins


def twins() -> Iterator[tuple[Block, Block]]:
    """Programs of the language, each with its twin in Python."""
    found = blocks(SPEC)
    for at, block in enumerate(found):
        if block.kind == "python":
            assert "twin" in found[at - 1].note, f"line {block.line}: no twin"
            yield found[at - 1], block


@pytest.mark.parametrize(("text", "python"), list(twins()))
def test_a_python_module_makes_its_twins_recipe(text: Block, python: Block) -> None:
    world = World({"build.pybuild": text.text, "build.py": f"import pybuild as pb\n\n{python.text}"})
    params = dict(word.split("=", 1) for word in shlex.split(text.note.get("params", "")))
    asked = Asked(EVERYTHING, params)
    assert shape(recipe_of_python(world, asked)) == shape(recipe_of_text(world, asked))


# Citations


def sources() -> Iterator[Path]:
    """Every text file of the code and the tests, links to folders left out."""
    for folder in FOLDERS:
        for place, folders, names in os.walk(ROOT / folder):
            folders[:] = sorted(one for one in folders if not one.startswith((".", "__pycache__")))
            yield from (Path(place, name) for name in sorted(names))


def cited(text: str) -> Iterator[int]:
    """The numbers of the sections of the specification that a text cites."""
    for found in _CITATION.finditer(text):
        yield from (int(number) for number in found.groups() if number is not None)


def test_cited_sections_exist() -> None:
    known = 0
    for path in sources():
        text = path.read_bytes().decode("utf-8", "replace")
        for number in cited(text):
            assert number in SECTIONS, f"{path.relative_to(ROOT)} cites section {number}"
            known += 1
    assert known > 50


def test_citations_lead_to_the_specification() -> None:
    """Nothing cites a document that is not in the repository."""
    elsewhere = "LANGUAGE" + ".md"
    for path in sources():
        assert elsewhere.encode() not in path.read_bytes(), path.relative_to(ROOT)


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        ("(language spec, section 6)", [6]),
        ("language spec, sections 4 and 5", [4, 5]),
        ("the language spec,\n# section 12", [12]),
        ("RFC 9110, section 11", []),
    ],
)
def test_a_citation_is_recognised(text: str, sections: list[int]) -> None:
    assert list(cited(text)) == sections
