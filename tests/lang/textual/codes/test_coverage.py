"""Each code has a function that makes its message, and a whole message in the case files of the suites."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pybuild.lang.python.functions.problems as functions
import pybuild.lang.python.problems as python
import pybuild.lang.textual.problems as problems
from pybuild.lang.textual.codes import CODES

TESTS = Path(__file__).resolve().parents[1]
_SHOWN = re.compile(r"^(?:error|warning)\[(\w+)\]: ", re.M)
_CODE = re.compile(r"[EWR]\d{4}")


def _codes(docstring: str) -> set[str]:
    """What a docstring begins with: codes with commas between them, or a range."""
    head = re.match(r"(?:[EWR]\d{4}(?:, | to |(?=[.:])))+", docstring)
    if head is None:
        return set()
    found = _CODE.findall(head[0])
    if " to " in head[0]:
        return {code for code in CODES if found[0] <= code <= found[-1]}
    return set(found)


def _constructors() -> Iterator[tuple[str, ast.FunctionDef, set[str]]]:
    """Public functions that give a Diagnostic, with the codes that their docstrings name."""
    for path in (*sorted(Path(problems.__path__[0]).glob("*.py")), *Path(python.__path__[0]).glob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                returns = ast.unparse(node.returns) if node.returns is not None else ""
                if returns == "Diagnostic":
                    yield path.name, node, _codes(ast.get_docstring(node) or "")


def test_each_constructor_says_its_code() -> None:
    missing = [f"{file}: {node.name}" for file, node, codes in _constructors() if not codes]
    assert not missing


def test_a_constructor_makes_the_code_that_it_says() -> None:
    wrong = []
    for file, node, codes in _constructors():
        made = {
            one.value
            for one in ast.walk(node)
            if isinstance(one, ast.Constant) and isinstance(one.value, str) and _CODE.fullmatch(one.value)
        }
        if not made <= codes:
            wrong.append((file, node.name, made - codes))
    assert not wrong


def test_each_code_has_a_constructor() -> None:
    known = set(re.findall(r'"(E1\d+)"', Path(functions.__file__).read_text()))
    for _, _, codes in _constructors():
        known |= codes
    assert known == set(CODES)


def test_each_code_is_shown_whole_in_a_case_file() -> None:
    paths = (*TESTS.glob("*/cases/*.md"), *(TESTS.parent / "python" / "errors").glob("*.md"))
    shown = {code for path in paths for code in _SHOWN.findall(path.read_text())}
    assert set(CODES) - shown == set()
    assert shown - set(CODES) == set()
