"""Docstrings open with a verb or a noun: not with a relative clause, a bare preposition or a causative."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from tests.guards.imports import ROOT, modules

REFUSED = re.compile(r"(Those|Of|That|Have|Let|As|By|With|In|What|Where|Whose|Whatever|Which)\b")

EXEMPT = ("lang/python/functions/runner.py",)
"""Files whose text is part of graphs: a changed docstring would run steps again."""


def openings(path: Path) -> list[str]:
    """Return the refused docstrings of modules, classes, functions and constants, as `line: first line`."""
    refused = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        for before, statement in zip([None, *body], body, strict=False):
            if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
                continue
            text = statement.value.value
            if not isinstance(text, str) or not REFUSED.match(text.lstrip()):
                continue
            if (before is None and documented) or isinstance(before, ast.Assign | ast.AnnAssign):
                refused.append(f"{statement.lineno}: {text.strip().splitlines()[0]}")
    return refused


FILES = {path.relative_to(ROOT).as_posix(): path for path in modules().values()}


def test_docstrings_open_with_a_verb_or_a_noun() -> None:
    exempt = set(EXEMPT)
    refused = [
        f"{name}:{opening}" for name in sorted(FILES.keys() - exempt) for opening in openings(FILES[name])
    ]
    assert not refused, "\n".join(refused)


@pytest.mark.parametrize("name", EXEMPT)
def test_exempt_files_have_such_a_docstring(name: str) -> None:
    assert name in FILES, f"{name} is gone: remove it from the list"
    assert openings(FILES[name]), f"{name} needs no exemption: remove it from the list"


def test_the_guard_sees_every_kind_of_docstring(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        '"""What a module is."""\nA = 1\n"""Those of A."""\n'
        'class C:\n    """Of a class."""\n    B: int = 2\n    """As an attribute."""\n'
        '    def f(self):\n        """Have it."""\n        x = 1\n        "".join("In")\n'
        'def g():\n    """Wherever it is, Whatsoever."""\n'
    )
    assert [opening.partition(":")[0] for opening in sorted(openings(path))] == ["1", "3", "5", "7", "9"]
