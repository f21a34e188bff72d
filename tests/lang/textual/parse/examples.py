"""Programs without mistakes, to parse and to break."""

from __future__ import annotations

from pathlib import Path

from attrs import fields

import pybuild
from pybuild.lang.source import Source
from pybuild.lang.textual import tree
from pybuild.lang.textual.parse import Parsed, parse

HEADER = "# syntax=pybuild:1\n"
_HERE = Path(__file__).parent
_STANDARD = Path(pybuild.__file__).parent / "stdlib"

PROGRAMS = {
    path.name: path.read_text()
    for folder in (_HERE / "examples", _STANDARD)
    for path in sorted(folder.rglob("*.pybuild"))
}


def parsed(text: str) -> Parsed:
    return parse(Source("build.pybuild", text))


def file(text: str) -> tree.File:
    """The tree of a program that has no mistake."""
    found = parsed(HEADER + text)
    assert not found.diagnostics, [(one.code, one.title) for one in found.diagnostics]
    return found.file


def value(text: str) -> tree.Expr:
    """An expression."""
    (decl,) = file(f"let x = {text}\n").decls
    assert isinstance(decl, tree.Let)
    return decl.value


def statement(text: str) -> tree.Stmt:
    """A statement, indented with four spaces."""
    (decl,) = file(f"target t:\n{text}").decls
    assert isinstance(decl, tree.Target)
    (one,) = decl.body
    return one


def excerpt(node: tree.Node) -> str:
    """The source text of a node."""
    span = node.span
    rows = span.source.text.split("\n")[span.line - 1 : span.end_line]
    rows[-1] = rows[-1][: span.end_column - 1]
    rows[0] = rows[0][span.column - 1 :]
    return "\n".join(rows)


def nodes(file: tree.File) -> list[tree.Node]:
    """All nodes of a tree, each before its parts."""
    out: list[tree.Node] = []
    waiting: list[object] = list(reversed(file.decls))
    while waiting:
        one = waiting.pop()
        if isinstance(one, tree.Node):
            out.append(one)
            waiting += [getattr(one, field.name) for field in reversed(fields(type(one)))]
        elif isinstance(one, tuple):
            waiting += reversed(one)
    return out
