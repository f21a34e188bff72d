"""The tables of the language's manual and specification that are generated from the tool's own tables.

<!-- table: NAME -->
| … |
<!-- end -->
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from attrs import frozen
from tests.docs.examples import ROOT
from tests.docs.programs import pages

from pybuild.lang.textual import builtins
from pybuild.lang.textual.builtins import Parameter, Signature
from pybuild.lang.textual.codes import CODES
from pybuild.lang.textual.expand import budget, limits
from pybuild.lang.textual.types import Type

_TABLE = re.compile(r"^<!-- table: (?P<name>[^\n]*) -->\n(?P<text>.*?)^<!-- end -->$", re.M | re.S)


GRAMMAR = ROOT / "lang" / "textual" / "grammar.lark"

GROUPS = {
    "E00": "frontend",
    "E01": "syntax",
    "E02": "names",
    "E03": "types",
    "E04": "calls",
    "E05": "states",
    "E06": "params",
    "E07": "graph",
    "E08": "modules",
    "E09": "security",
    "E10": "Python",
    "W02": "lint of names",
    "W06": "lint of statements",
    "W08": "lint of references",
    "R00": "solve",
}
"""Subjects of the groups of codes, by the prefix."""


@frozen
class Table:
    page: Path
    name: str
    text: str


def tables() -> Iterator[Table]:
    for page in pages():
        for found in _TABLE.finditer(page.read_text("utf-8")):
            yield Table(page, found["name"], found["text"])


def rewritten(page: Path) -> str:
    """The text of the page with fresh tables."""
    return _TABLE.sub(
        lambda found: f"<!-- table: {found['name']} -->\n{TABLES[found['name']]()}<!-- end -->",
        page.read_text("utf-8"),
    )


def _rows(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def _type(type: Type) -> str:
    return {"any": "", "mode": "int or str", "owner": "str"}.get(str(type), str(type))


def _parameter(one: Parameter) -> str:
    dots = "…" if one.many else ""
    if one.default is None:
        return one.name + dots
    return f"{one.name}={one.default or '…'}"


def _call(one: Signature, receiver: str = "") -> str:
    inside = [_parameter(parameter) for parameter in one.parameters]
    if one.open is not None:
        inside.append("NAME=VALUE, …")
    return f"`{receiver}{one.name}({', '.join(inside)})`"


def _calls(found: Iterable[Signature], head: str, receiver: str = "") -> str:
    return _rows((head, "gives", ""), ((_call(one, receiver), _given(one), one.doc) for one in found))


def _given(one: Signature) -> str:
    return f"`{one.returns}`" if _type(one.returns) else ""


def _sources() -> str:
    found = [one for one in builtins.FUNCTIONS.values() if one.kind == "source"]
    return _rows(("source", ""), ((_call(one), one.doc) for one in found))


def _options() -> str:
    return _rows(("option", ""), ((_call(one), one.doc) for one in builtins.OPTIONS.values()))


def _functions() -> str:
    return _calls((one for one in builtins.FUNCTIONS.values() if one.kind == "function"), "function")


def _methods() -> str:
    found = [
        (_call(one, {"str": "s.", "map": "m."}[kind]), _given(one), one.doc)
        for kind, methods in builtins.METHODS.items()
        for one in methods
    ]
    return _rows(("method", "gives", ""), found)


def _members() -> str:
    return _rows(
        ("value", "members"),
        (
            (f"`{name}`", ", ".join(f"`.{member}` {type}" for member, type in members.items()))
            for name, members in builtins.MEMBERS.items()
        ),
    )


def _statements() -> str:
    rows = [
        (f"`{word}`", f"`{one.name}`", _type(one.type), f"`{one.default}`" if one.default else "")
        for word, parameters in builtins.STATEMENTS.items()
        for one in parameters
    ]
    return _rows(("statement", "option", "type", "default"), rows)


def _keywords() -> str:
    def words(found: Iterable[str]) -> str:
        return " ".join(f"`{word}`" for word in sorted(found))

    return _rows(
        ("where", "keywords"),
        (
            ("everywhere", words(builtins.HARD_KEYWORDS)),
            ("first word of a declaration", words(builtins.TOP_KEYWORDS)),
            ("first word of a statement", words(builtins.BODY_KEYWORDS)),
        ),
    )


def _budget() -> str:
    return _rows(
        ("what", "at most"),
        (
            ("steps of evaluation", f"{budget.STEPS:,}"),
            ("ops", f"{budget.OPS:,}"),
            ("instances of targets", f"{budget.INSTANCES:,}"),
            ("calls inside each other", f"{budget.DEPTH}"),
            ("items of a list or map", f"{limits.ITEMS:,}"),
            ("bytes of a string", f"{limits.STRING >> 20} MiB"),
        ),
    )


def _codes() -> str:
    rows = ((GROUPS[code[:3]], f"`{code}`", meaning) for code, meaning in CODES.items())
    return _rows(("group", "code", "meaning"), rows)


def grammar_rules() -> str:
    """The text of grammar.lark without its comments."""
    lines = [line for line in GRAMMAR.read_text("utf-8").splitlines() if not line.startswith("//")]
    return "\n".join(lines).strip("\n") + "\n"


def _grammar() -> str:
    return f"```lark\n{grammar_rules()}```\n"


TABLES: dict[str, Callable[[], str]] = {
    "sources": _sources,
    "run options": _options,
    "functions": _functions,
    "methods": _methods,
    "members": _members,
    "options of statements": _statements,
    "keywords": _keywords,
    "budget": _budget,
    "codes": _codes,
    "grammar": _grammar,
}
"""The generators by the names that pages use."""
