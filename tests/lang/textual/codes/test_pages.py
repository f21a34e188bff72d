"""Each code has a page, and its examples do what it says.

`PYBUILD_WRITE_CASES=1` writes what pages show, and the list of codes, anew.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lang.textual.codes.commands import Here, Real, Server
from tests.lang.textual.codes.index import index
from tests.lang.textual.codes.pages import FOLDER, PYTHON, page, rewrite, write

from pybuild.cli.explain import address
from pybuild.cli.explain import page as explained
from pybuild.lang.diagnostics import UsageError
from pybuild.lang.textual.codes import CODES

REAL = {"E0802", "E0803", *(code for code in CODES if code.startswith("R"))}
"""Come up in a build that runs."""

WRITE = os.environ.get("PYBUILD_WRITE_CASES", "") not in ("", "0")
INDEXED = Path(__file__).resolve().parents[4] / "docs" / "language" / "diagnostics.md"


@pytest.fixture
def here(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Here:
    return Here(tmp_path, capsys, monkeypatch)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


def test_each_code_has_a_page_and_no_page_is_of_another() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {f"{code}.md" for code in CODES}


@pytest.mark.parametrize("code", CODES)
def test_a_page_has_its_parts(code: str) -> None:
    found = page(code)
    assert (found.code, found.title) == (code, CODES[code])
    assert found.what.endswith((".", ")", "?"))
    assert found.advice.endswith(".")
    root = "build.py" if code in PYTHON else "build.pybuild"
    assert root in found.wrong
    assert root in found.right
    text = explained(code)
    assert text == (FOLDER / f"{code}.md").read_text()
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    assert max(map(len, prose.split("\n"))) <= 120


@pytest.mark.parametrize("code", [code for code in CODES if code not in REAL])
def test_the_wrong_example_is_wrong_in_this_way(code: str, here: Here) -> None:
    found = page(code)
    write(found.wrong, here.directory)
    status, said = here.run(found.command, found.wrong)
    if WRITE:
        rewrite(code, said)
        found = page(code)
    assert said == found.shown
    assert re.findall(r"^\w+\[(\w+)\]: ", said, re.M) == [code]
    assert status == (1 if code.startswith("W") else 2)


@pytest.mark.parametrize("code", [code for code in CODES if code not in REAL])
def test_the_right_example_is_right(code: str, here: Here) -> None:
    found = page(code)
    write(found.right, here.directory)
    assert here.run("pybuild check", found.right) == (0, "\n")
    assert here.run(found.command, found.right) == (0, "\n")


@pytest.mark.root
@pytest.mark.crun
@pytest.mark.parametrize("code", sorted(REAL))
def test_examples_that_run(code: str, tmp_path: Path, server: Server) -> None:
    found = page(code)
    real = Real(tmp_path, server)
    status, said = real.run(found.command, found.wrong)
    if WRITE:
        rewrite(code, said)
        found = page(code)
    assert said == found.shown
    assert re.findall(r"^\w+\[(\w+)\]: ", said, re.M) == [code]
    assert status == (2 if code == "E0802" else 1)
    assert real.run(found.command, found.right) == (0, "\n")


@pytest.mark.parametrize(
    ("word", "title", "help"),
    [
        ("E0530", "there is no message E0530", "did you mean E0503?"),
        ("E9999", "there is no message E9999", "their list is at"),
        ("build", "explaining a step (build) is not supported by this version of pybuild", "give the code"),
    ],
)
def test_words_that_are_no_code(word: str, title: str, help: str) -> None:
    with pytest.raises(UsageError) as caught:
        explained(word)
    assert str(caught.value) == title
    assert dict(caught.value.diagnostic.notes)["help"].startswith(help)


def test_the_documentation_lists_all_codes() -> None:
    if WRITE:
        INDEXED.write_text(index())
    text = INDEXED.read_text()
    assert text == index()
    assert re.findall(r"^### (\w+)$", text, re.M) == list(CODES), "anchors that messages lead to"


def test_a_message_leads_to_its_place_in_the_documentation() -> None:
    assert address("E0503") == "https://pybuildkit.readthedocs.io/en/stable/language/diagnostics/#e0503"


def test_small_letters_name_a_code_too() -> None:
    assert explained("e0503") == explained("E0503")


def test_the_command_prints_the_page(here: Here, capsys: pytest.CaptureFixture[str]) -> None:
    from pybuild.cli.commands import main

    assert main(["explain", "W0802"]) == 0
    assert capsys.readouterr().out == (FOLDER / "W0802.md").read_text()
