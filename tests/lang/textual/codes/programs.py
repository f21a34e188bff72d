"""The programs of all suites of the language that have mistakes: pages, and case files of the check, of expressions,
of the parser and of expansion."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.lang.textual.check.casefiles import FOLDER as CHECK
from tests.lang.textual.check.casefiles import cases as check_cases
from tests.lang.textual.codes.pages import PYTHON, page
from tests.lang.textual.expand.programs import FOLDER as EXPAND
from tests.lang.textual.expand.programs import cases as expand_cases

from pybuild.lang.textual.codes import CODES

EXPRESSIONS = CHECK.parents[1] / "check_expressions" / "cases"
PARSE = CHECK.parents[1] / "parse" / "cases"
_PARSED = re.compile(r"^## ([^\n]*)\n+```pybuild\n(.*?)```$", re.M | re.S)

Program = tuple[str, dict[str, str]]
"""What it is called, and its files; the first is the root file."""


def programs() -> Iterator[Program]:
    for code in (one for one in CODES if one not in PYTHON):
        yield f"page {code}", page(code).wrong
    for folder in (CHECK, EXPRESSIONS):
        for path in sorted(folder.glob("*.md")):
            for one in check_cases(path):
                yield f"{folder.parent.name}/{path.stem}: {one.title}", one.files
    for path in sorted(PARSE.glob("*.md")):
        for found in _PARSED.finditer(path.read_text()):
            yield f"parse/{path.stem}: {found[1]}", {"build.pybuild": found[2]}
    for path in sorted(EXPAND.glob("*.md")):
        for case in expand_cases(path):
            if case.kind != "recipe":
                yield f"expand/{path.stem}: {case.title}", _expanded(case.program, case.files)


def _expanded(text: str, beside: dict[str, str]) -> dict[str, str]:
    first, *others = re.split(r"^=== (\S+)\n", text, flags=re.M)
    rest = dict(zip(others[::2], others[1::2], strict=True))
    return {"build.pybuild": first, **rest, **beside}


def put(files: dict[str, str], directory: Path) -> None:
    """The files of a program in a directory; modules from elsewhere stay away."""
    for name, text in files.items():
        if "//" not in name and not name.startswith("std/"):
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode("utf-8", "surrogateescape"))
