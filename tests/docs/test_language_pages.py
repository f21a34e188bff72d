"""`docs/language` is true: programs compile or give the messages of the page, builds give the results of the page,
stories can be followed, and tables agree with the tool.

`PYBUILD_WRITE_CASES=1` writes results and tables into the pages.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest
from tests.docs.builttables import TABLES, Table, rewritten, tables
from tests.docs.examples import Built, blocks, write_files
from tests.docs.programs import (
    PAGES,
    QUIET,
    Program,
    Values,
    compiled,
    is_told,
    pages,
    programs,
    shows,
    values,
)
from tests.docs.stories import Story, follow

from pybuild.lang.textual.fmt import format_source

WRITE = os.environ.get("PYBUILD_WRITE_CASES", "") not in ("", "0")
PROGRAMS = list(programs())


def parameters(found: list[Program] | list[Values] | list[Table]) -> list[object]:
    return [pytest.param(one, id=one.name) for one in found]


@pytest.mark.parametrize("program", parameters(PROGRAMS))
def test_a_program_compiles_or_says_what_is_wrong(program: Program) -> None:
    found = compiled(program)
    if WRITE:
        write(program, ("says", found.messages), ("scripts", found.scripts), ("instances", found.instances))
        return
    assert found.codes("ER") == program.expected("fails"), found.messages
    warns = program.expected("warns")
    assert [code for code in found.codes("W") if code in warns or code not in QUIET] == warns
    for block in program.shown:
        if "says" in block.note:
            assert found.messages == block.text
        elif "scripts" in block.note:
            assert found.scripts == block.text
        elif "instances" in block.note:
            assert found.instances == block.text


@pytest.mark.parametrize("program", parameters([one for one in PROGRAMS if one.laid_out]))
def test_a_program_has_the_formatters_form(program: Program) -> None:
    """All of it but the first line, which snippets leave out."""
    text = format_source("build.pybuild", program.text.encode())
    assert text == program.text


@pytest.mark.root
@pytest.mark.crun
@pytest.mark.parametrize("program", parameters([one for one in PROGRAMS if one.built]))
def test_a_program_builds(program: Program, tmp_path: Path, environment: dict[str, str]) -> None:
    place = tmp_path / "project"
    for name, text in program.sources.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text, encoding="utf-8")
    outputs = ["--output=type=oci,dest=../layout,tar=false", "--output=type=local,dest=../files"]
    built = Built(place, [*outputs, *shlex.split(program.note.get("flags", ""))], environment)
    assert built.code == 0, built.error
    if WRITE:
        write(program, ("prints", built.printed), ("holds", built.listing()))
        return
    for block in program.shown:
        if "prints" in block.note:
            assert built.printed == block.text
        elif "holds" in block.note:
            assert built.listing() == block.text
        elif "config" in block.note:
            assert built.members(block.text) == block.text


def write(program: Program, *found: tuple[str, str]) -> None:
    """Write the results into the page. Offsets are read again: other programs may have become longer."""
    page = program.page.read_text(encoding="utf-8")
    same = [one for one in programs() if one.page == program.page]
    for block in reversed(same[program.number].shown):
        for name, text in found:
            if name in block.note:
                page = page[: block.start] + text + page[block.end :]
    program.page.write_text(page, encoding="utf-8")


_ROW = re.compile(r"^\| [^|]+ \| `(COPY [^|]+)` \| `(copy [^|]+)` \|$", re.MULTILINE)
COPY = (PAGES / "copy.md").read_text("utf-8")


@pytest.mark.root
@pytest.mark.crun
@pytest.mark.parametrize(("dockerfile", "statement"), _ROW.findall(COPY))
def test_both_columns_copy_the_same(
    dockerfile: str, statement: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    files = re.search(r"<!-- compared; files: (.*) -->", COPY)
    assert files is not None
    copied: list[str] = []
    for flags in (["-f", "../Dockerfile"], []):
        place = tmp_path / str(len(copied)) / "context"
        place.mkdir(parents=True)
        write_files(place, files[1])
        (place / "build.pybuild").write_text(f"target copied:\n    from scratch\n    {statement}\n", "utf-8")
        (place / "../Dockerfile").write_text(f"FROM scratch\n{dockerfile}\n", "utf-8")
        built = Built(place, [*flags, "--output=type=local,dest=../files"], environment)
        assert built.code == 0, built.error
        copied.append(built.listing())
    assert copied[0] == copied[1]


@pytest.mark.parametrize("table", parameters(list(values())))
def test_expressions_come_to_what_is_written(table: Values) -> None:
    assert table.whole, "a line has no result"
    for expr, value, code in table.rows:
        found = table.compiled(f"check len([{expr}]) == 1" if code else f"check ({expr}) == ({value})")
        assert found.codes("ER") == ([code] if code else []), expr + "\n" + found.messages


@pytest.mark.root
@pytest.mark.crun
@pytest.mark.parametrize("page", [page for page in pages() if is_told(page)], ids=lambda page: page.stem)
def test_a_story_can_be_followed(page: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    follow(page, Story(tmp_path, environment), write=WRITE)


@pytest.mark.parametrize("table", parameters(list(tables())))
def test_tables_are_the_tools(table: Table) -> None:
    if WRITE:
        table.page.write_text(rewritten(table.page), encoding="utf-8")
        return
    assert table.text == TABLES[table.name]()


def test_every_table_is_shown() -> None:
    assert {table.name for table in tables()} == set(TABLES)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_what_is_shown_belongs_to_a_program(page: Path) -> None:
    above = ""
    for block in blocks(page):
        if shows(block):
            assert above in ("pybuild", "sh", "shown"), block.text
            assert block.kind == ("json" if "config" in block.note else "text")
            above = "shown"
        else:
            above = "" if "file" in block.note and not is_told(page) else block.kind


def test_the_index_names_every_page() -> None:
    links = re.findall(r"\]\(([\w-]+)\.md\)", (PAGES / "index.md").read_text(encoding="utf-8"))
    assert {*links, "index"} >= {page.stem for page in PAGES.glob("*.md")}
