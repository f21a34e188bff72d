"""Expressions on a small stage: a module of lets and value functions of one expression, with files beside it.

A case file is Markdown. A `pybuild` block holds declarations, and below `---` expressions, each with what it
comes to:

    1 + 2               # = 3
    7 // 0              # ! E0304

The right side is an expression too. A block `file NAME` before it puts a file beside the module.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from attrs import frozen
from tests.lang.textual.worlds import PROJECT, MemoryPlace

from pybuild.lang import recipe
from pybuild.lang.diagnostics import Diagnostic, Label, SourceError
from pybuild.lang.source import Source, Span
from pybuild.lang.textual import modules, tree
from pybuild.lang.textual.expand.evaluate import evaluate
from pybuild.lang.textual.expand.frame import DeferredValue, Definition, Frame, ModuleInstance
from pybuild.lang.textual.expand.options import ExpandOptions
from pybuild.lang.textual.expand.params import declared
from pybuild.lang.textual.expand.values import Choice, Located, TargetValue, Value
from pybuild.lang.textual.parse import parse
from pybuild.lang.textual.types import Type

FOLDER = Path(__file__).parent / "cases"
PLATFORM = "linux/arm64"

_SECTION = re.compile(r"^```(pybuild|file (?P<name>\S+))\n(?P<text>.*?)^```$", re.M | re.S)
_CASE = re.compile(r"(?P<expr>.*?)\s+# (?P<sign>[=!]) (?P<wanted>.*?)\s*$")


@frozen(eq=False)
class Instance:
    module: modules.Module


class Outside:
    """A repository, and the directories that may be read."""

    def __init__(self, allowed: tuple[str, ...] = ()) -> None:
        self.allowed = allowed

    def vcs(self, name: str) -> str | bool | int:
        return {"dirty": True, "epoch": 1700000000}.get(name, f"the {name}")

    def may_read(self, path: str) -> bool:
        return path.startswith(self.allowed) if self.allowed else False


class Stage:
    """A compile of one module (`frame.Compilation`) which knows lets, params with defaults and value functions whose
    body is one `return`."""

    def __init__(
        self,
        text: str = "",
        files: Mapping[str, str | bytes] | None = None,
        *,
        name: str = "build.pybuild",
        origin: str = modules.ROOT,
        base: str | None = PROJECT,
        allowed: tuple[str, ...] = (),
    ) -> None:
        file = parsed(name, text)
        place = MemoryPlace(files or {}, base=base)
        self.instance = Instance(modules.Module(name, origin, file, place))
        self.options = ExpandOptions(PROJECT, PROJECT, "linux/amd64")
        self.world = Outside(allowed)
        self.reads: dict[str, str] = {}
        self.steps = 0
        self.budget = 100_000
        self.targets: list[tuple[str, str]] = []
        self._context = recipe.Directory(None, PROJECT, "context")
        self._decls = {
            decl.name.name: decl
            for decl in file.decls
            if isinstance(decl, tree.Let | tree.Param | tree.Def | tree.Target)
        }
        self._known: dict[str, Value] = {}

    @property
    def frame(self) -> Frame:
        return Frame(self.instance, PLATFORM)

    def value(self, text: str, wanted: Type | None = None, frame: Frame | None = None) -> Value:
        return evaluate(expression(text), frame or self.frame, self, wanted)

    def failure(self, text: str, wanted: Type | None = None) -> Diagnostic:
        try:
            value = self.value(text, wanted)
        except SourceError as error:
            return error.diagnostic
        raise AssertionError(f"{text} is {value!r}")

    def count(self, span: Span, steps: int = 1) -> None:
        self.steps += steps
        if self.steps > self.budget:
            self.exceeded("too many steps", span)

    def exceeded(self, what: str, span: Span) -> NoReturn:
        raise SourceError(Diagnostic(what, code="E0703", labels=[Label(span)]))

    def module_value(
        self, module: ModuleInstance, name: str, frame: Frame, span: Span
    ) -> Value | DeferredValue | None:
        if name in self._known:
            return self._known[name]
        decl = self._decls.get(name)
        if isinstance(decl, tree.Target):
            return TargetValue(module, decl)
        if isinstance(decl, tree.Let):
            return DeferredValue(
                decl.value, self.frame, None, lambda value: self._known.setdefault(name, value)
            )
        if isinstance(decl, tree.Param) and decl.default is not None:
            wanted = declared(decl.type)
            return DeferredValue(
                decl.default, self.frame, wanted, lambda value: self._known.setdefault(name, value)
            )
        return None

    def definition(self, module: ModuleInstance, name: str) -> Definition | None:
        decl = self._decls.get(name)
        return Definition(module, decl) if isinstance(decl, tree.Def) else None

    def call(self, definition: Definition, arguments: Mapping[str, Value], frame: Frame, span: Span) -> Value:
        (statement,) = definition.definition.body
        returns = definition.definition.returns
        assert isinstance(statement, tree.Return)
        assert returns is not None
        inside = Frame(definition.module, frame.taken_for, names=arguments)
        return evaluate(statement.value, inside, self, declared(returns))

    def select(
        self, target: TargetValue, choices: tuple[Choice, ...], frame: Frame, span: Span
    ) -> TargetValue:
        return TargetValue(target.module, target.target, (*target.chosen, *choices))

    def state_of(self, target: TargetValue, frame: Frame, span: Span) -> recipe.State:
        self.targets.append((target.target.name.name, frame.taken_for))
        return recipe.Built(span, recipe.Body(target.target.name.name, frame.taken_for))

    def context(self, module: ModuleInstance) -> recipe.State:
        return self._context

    def vcs(self, name: str) -> str | bool | int:
        return self.world.vcs(name)


def parsed(name: str, text: str) -> tree.File:
    found = parse(Source(name, text))
    errors = [one for one in found.diagnostics if one.level == "error"]
    assert not errors, f"{text}: {errors[0].title}"
    return found.file


def expression(text: str) -> tree.Expr:
    (decl,) = parsed("expression", f"let it = {text}\n").decls
    assert isinstance(decl, tree.Let)
    return decl.value


def place(path: str = "build.pybuild") -> Span:
    return Span(Source(path, ""), 1, 1, 1, 2)


def located(*values: Value) -> list[Located]:
    return [Located(value, place()) for value in values]


@frozen
class Case:
    text: str
    expr: str
    sign: str
    wanted: str
    stage: Stage


def cases(path: Path) -> list[Case]:
    out: list[Case] = []
    files: dict[str, str | bytes] = {}
    for section in _SECTION.finditer(path.read_text()):
        if section["name"]:
            files[section["name"]] = section["text"]
            continue
        head, dashes, body = section["text"].rpartition("---\n")
        stage = Stage(head if dashes else "", dict(files))
        for line in filter(str.strip, body.split("\n")):
            found = _CASE.fullmatch(line)
            assert found is not None, line
            out.append(Case(line, found["expr"], found["sign"], found["wanted"], stage))
    return out
