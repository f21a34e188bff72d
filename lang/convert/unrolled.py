"""Converts a Python build module to a file of the language: unrolled, with the values for the params passed.

1. The recording has the module's bodies: of each instance and call, for each platform that was built.
2. Equal bodies are written once; where bodies differ, the differences are in branches by the values of the axes and
   the platform.
3. Each call of a state function with its own arguments becomes a function of its own without parameters.
"""

from __future__ import annotations

from itertools import takewhile

from attrs import evolve, fields

from pybuild.lang.convert import writing
from pybuild.lang.textual import tree
from pybuild.lang.textual.expand.params import as_text, quoted
from pybuild.lang.textual.expand.values import text_of
from pybuild.lang.textual.fmt import format_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from pybuild.lang.python.expansion import BodyStatements, Expansion
    from pybuild.lang.textual.expand.values import Value

Case = tuple[str, list[str]]
"""A condition, and the rows of the statements if it holds; each statement's rows are joined by newlines."""


def unrolled(expansion: Expansion) -> str:
    """Return the text of a module all of whose targets have been expanded."""
    return format_source("build.pybuild", _Unrolling(expansion).text().encode())


class _Unrolling:
    """The conversion of one module."""

    def __init__(self, expansion: Expansion) -> None:
        self._recording = expansion.recording
        self._bodies: dict[tree.Decl, list[BodyStatements]] = {}
        self._by_platforms: dict[str, tuple[str, ...]] = {}
        for body in expansion.written:
            self._bodies.setdefault(body.decl, []).append(body)

    def text(self) -> str:
        blocks: list[list[str]] = []
        for decl in self._recording.file.decls:
            if isinstance(decl, tree.Target):
                blocks.append([*writing.doc(decl.doc), writing.header(decl), *self._target(decl)])
            elif isinstance(decl, tree.Def):
                blocks += self._functions(decl)
            else:
                blocks += [rows] if (rows := _declaration(decl)) else []
        return "\n\n".join("\n".join(block) for block in (self._head(), *blocks)) + "\n"

    def _head(self) -> list[str]:
        """Return the header, and remarks on what the text doesn't say as the module does."""
        rows = ["# syntax=pybuild:1", ""]
        for name, value in self._recording.params.items():
            shown = quoted(value) if isinstance(value, str) else as_text(value)
            rows.append(f"# differs: the param {name} is written out, as {shown}")
        rows += [f"# differs: vcs.{one} is written out" for one in sorted(self._recording.asked)]
        rows += [f"# differs: what {one} says is written out" for one in sorted(self._recording.reads)]
        rows += [
            f"# differs: {name} is written out for {', '.join(platforms)} only"
            for name, platforms in self._by_platforms.items()
        ]
        return rows

    # Bodies

    def _target(self, decl: tree.Target) -> list[str]:
        by_axes: dict[str, list[BodyStatements]] = {}
        for body in self._bodies.get(decl, ()):
            condition = " and ".join(
                f"{writing.name(axis)} == {_literal(of)}" for axis, of in body.names.items()
            )
            by_axes.setdefault(condition, []).append(body)
        cases: list[Case] = []
        for condition, bodies in by_axes.items():
            for platform, rows in self._by_platform(bodies):
                cases.append((" and ".join(filter(None, (condition, platform))), rows))
        return list(_branches(cases))

    def _functions(self, decl: tree.Def) -> Iterator[list[str]]:
        """Yield the functions for a state function, one for each call."""
        parameter = decl.parameters[0].name.name
        calls: dict[str, list[BodyStatements]] = {}
        for body in self._bodies.get(decl, ()):
            calls.setdefault(text_of(body.names[parameter]), []).append(body)
        for number, bodies in sorted(calls.items(), key=lambda call: int(call[0])):
            head = f"def {numbered(decl.name.name, number)}() -> state:"
            yield [*writing.doc(decl.doc), head, *_branches(self._by_platform(bodies))]

    def _by_platform(self, bodies: Sequence[BodyStatements]) -> list[Case]:
        """Return a case for each platform, or a single one if the body is the same on all."""
        cases = [(one.platform, self._rows(one.statements)) for one in bodies]
        if all(rows == cases[0][1] for _, rows in cases):
            return [("", cases[0][1])]
        self._by_platforms[bodies[0].decl.name.name] = tuple(platform for platform, _ in cases)
        return [(f'platform == "{platform}"', rows) for platform, rows in cases]

    def _rows(self, body: Sequence[tree.Stmt]) -> list[str]:
        return ["\n".join(writing.statement(self._renamed(one))) for one in body]

    def _renamed(self, node: Any) -> Any:
        """Return the node with calls of state functions replaced by calls of the functions for them."""
        if isinstance(node, tuple):
            return tuple(map(self._renamed, node))
        if not isinstance(node, tree.Node):
            return node
        if isinstance(node, tree.Call) and isinstance(node.function, tree.Name):
            decl = self._recording.declared.get(node.function.name)
            if isinstance(decl, tree.Def):
                name = numbered(decl.name.name, _number(node))
                return tree.Call(node.span, tree.Name(node.span, name), ())
        parts: dict[str, Any] = {
            one.name: self._renamed(getattr(node, one.name))
            for one in fields(type(node))
            if one.name != "span"
        }
        return evolve(node, **parts)


def numbered(name: str, number: str) -> str:
    """Return the name of the function for a call of a state function."""
    return writing.name(name if number == "0" else f"{name}_{int(number) + 1}")


def _number(node: tree.Call) -> str:
    (argument,) = node.arguments
    assert isinstance(argument.value, tree.String)
    return "".join(part.value for part in argument.value.parts if isinstance(part, tree.Text))


def _literal(value: Value) -> str:
    return quoted(value) if isinstance(value, str) else text_of(value)


def _branches(cases: Sequence[Case]) -> list[str]:
    """Return the statements of a body: a common beginning and end of all cases, and branches between them."""
    if not cases:
        return [f"{writing.STEP}from scratch"]
    bodies = [rows for _, rows in cases]
    first = _common(bodies)
    rests = [rows[len(first) :] for rows in bodies]
    last = _common([rows[::-1] for rows in rests])[::-1]
    middles = [rows[: len(rows) - len(last)] for rows in rests]
    return [*_flat(first), *_middle([one for one, _ in cases], middles), *_flat(last)]


def _common(bodies: Sequence[list[str]]) -> list[str]:
    shortest = min(map(len, bodies))
    columns = (tuple(rows[at] for rows in bodies) for at in range(shortest))
    return [column[0] for column in takewhile(lambda column: len(set(column)) == 1, columns)]


def _middle(conditions: Sequence[str], middles: Sequence[list[str]]) -> Iterator[str]:
    """Yield branches for the differences; equal statements for several conditions share one branch."""
    together: dict[tuple[str, ...], list[str]] = {}
    for condition, rows in zip(conditions, middles, strict=True):
        together.setdefault(tuple(rows), []).append(condition)
    whole = all(together)
    branches = [(alternatives, middle) for middle, alternatives in together.items() if middle]
    for at, (alternatives, middle) in enumerate(branches):
        last = whole and 0 < at == len(branches) - 1
        if len(together) > 1:
            yield (
                f"{writing.STEP}else:"
                if last
                else f"{writing.STEP}{'elif' if at else 'if'} {_either(alternatives)}:"
            )
        yield from (f"{writing.STEP}{row}" if row else "" for row in _flat(middle))


def _either(conditions: Sequence[str]) -> str:
    if len(conditions) == 1:
        return conditions[0]
    return " or ".join(f"({one})" if " and " in one else one for one in conditions)


def _flat(rows: Sequence[str]) -> list[str]:
    return [row for one in rows for row in one.split("\n")]


# Other declarations


def _declaration(decl: tree.Decl) -> list[str]:
    if isinstance(decl, tree.Use):
        return [writing.use(decl)]
    if isinstance(decl, tree.Ignore):
        return ["ignore " + ", ".join(map(writing.expression, decl.patterns))]
    if isinstance(decl, tree.Group):
        return [
            *writing.doc(decl.doc),
            f"group {writing.name(decl.name.name)} = {writing.expression(decl.value)}",
        ]
    if isinstance(decl, tree.Default):
        return [f"default {writing.name(decl.name.name)}"]
    return []
