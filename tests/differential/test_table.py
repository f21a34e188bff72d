"""The table, the cases and the exceptions agree with each other."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from tests.differential.casebook import read_cases
from tests.differential.exceptions import EXCEPTIONS
from tests.differential.table import read_table

INSTRUCTIONS = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
]


def test_every_covered_cell_has_its_cases_and_every_case_its_cell() -> None:
    names = {case.name for case in read_cases()}
    covered = {name for cell in read_table() for name in cell.cases}
    assert covered == names


def test_every_empty_cell_says_why() -> None:
    for cell in read_table():
        assert bool(cell.cases) != bool(cell.empty), cell


def test_no_cell_is_there_twice_and_no_instruction_is_left_out() -> None:
    cells = read_table()
    count = Counter((cell.instruction, cell.form, cell.edge) for cell in cells)
    assert not [cell for cell, times in count.items() if times > 1]
    assert {cell.instruction for cell in cells if cell.cases} >= set(INSTRUCTIONS)


def test_names_of_cases_are_unique() -> None:
    assert not [name for name, times in Counter(case.name for case in read_cases()).items() if times > 1]


def test_a_refused_case_is_named_so() -> None:
    for case in read_cases():
        assert ("rejected" in case.name.split("-")) == (case.rejected is not None), case.name


def test_exceptions_are_documented_and_needed() -> None:
    text = (Path(__file__).parent / "exceptions.md").read_text()
    documented = re.findall(r"^## (.+)$", text, re.MULTILINE)
    needed = {one.name for case in read_cases() for one in case.exceptions}
    assert sorted(documented) == sorted(EXCEPTIONS)
    assert needed == set(EXCEPTIONS)
