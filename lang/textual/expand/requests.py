"""The requested goals of a build, from its selections (language spec, sections 8 and 13)."""

from __future__ import annotations

from attrs import frozen

from pybuild.lang import recipe
from pybuild.lang.diagnostics import SourceError
from pybuild.lang.textual import tree
from pybuild.lang.textual.expand import selection
from pybuild.lang.textual.expand.budget import BudgetError
from pybuild.lang.textual.expand.evaluate import evaluate
from pybuild.lang.textual.expand.frame import DeferredValue, Frame
from pybuild.lang.textual.expand.modulescope import ParamUnset
from pybuild.lang.textual.expand.options import DEFAULT, EVERYTHING, TESTS
from pybuild.lang.textual.expand.values import Choice, Located, TargetValue, flatten
from pybuild.lang.textual.problems import expansion as problems

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybuild.lang.source import Span
    from pybuild.lang.textual.expand.compilation import Compilation
    from pybuild.lang.textual.expand.modulescope import ModuleScope


@frozen
class RequestedGoals:
    """The requested goals. In a build of all targets, `skipped` are the targets whose header reads an unset param,
    each with the param."""

    goals: list[recipe.Goal]
    skipped: list[tuple[str, str]]


def requested(compilation: Compilation) -> RequestedGoals:
    """Return the goals in the order of the request, each once. Mistakes are reported."""
    goals: dict[recipe.Goal, None] = {}
    skipped: list[tuple[str, str]] = []
    for value, span in _wanted(compilation):
        try:
            goals.update(dict.fromkeys(compilation.goals.of(value, span, compilation.options.platforms)))
        except BudgetError:
            raise
        except SourceError as error:
            if isinstance(error, ParamUnset) and compilation.options.wanted == EVERYTHING:
                scope = compilation.scope_of(value.module)
                skipped.append((scope.named(value.target.name.name), error.param))
            else:
                compilation.report(error)
    return RequestedGoals(list(goals), skipped)


def _wanted(compilation: Compilation) -> Iterator[tuple[TargetValue, Span | None]]:
    wanted, root = compilation.options.wanted, compilation.root
    targets = [decl for decl in root.decls.values() if isinstance(decl, tree.Target)]
    if wanted == EVERYTHING:
        yield from ((TargetValue(root, target), None) for target in targets)
    elif wanted == TESTS:
        tests = [target for target in targets if target.kind == "test"]
        if not tests:
            compilation.report(SourceError(problems.no_tests()))
        yield from ((TargetValue(root, target), None) for target in tests)
    elif wanted == DEFAULT:
        yield from _default(targets, compilation)
    else:
        for text in (wanted,) if isinstance(wanted, str) else wanted:
            try:
                values = _selected(selection.parse(text), compilation)
            except BudgetError:
                raise
            except SourceError as error:
                compilation.report(error)
                continue
            yield from ((value, None) for value in values)


def _default(
    targets: list[tree.Target], compilation: Compilation
) -> Iterator[tuple[TargetValue, Span | None]]:
    root = compilation.root
    name = next((decl.name for decl in root.module.file.decls if isinstance(decl, tree.Default)), None)
    if name is not None:
        try:
            values = _named(root, name.name, compilation) or []
        except BudgetError:
            raise
        except SourceError as error:
            compilation.report(error)
            return
        yield from ((value, name.span) for value in values)
        return
    candidates = [target for target in targets if target.kind == "target"]
    if len(candidates) != 1:
        compilation.report(SourceError(problems.no_default([one.name.name for one in candidates])))
        return
    yield TargetValue(root, candidates[0]), None


def _named(scope: ModuleScope, name: str, compilation: Compilation) -> list[TargetValue] | None:
    """Return the targets of a name, which is a target or a group; None if it is neither."""
    decl = scope.decls.get(name)
    if not isinstance(decl, tree.Target | tree.Group):
        return None
    frame = Frame(scope, compilation.options.build_platform)
    value = scope.value(name, frame, decl.span)
    if isinstance(value, DeferredValue):
        value = value.finish(evaluate(value.expr, value.frame, compilation, value.wanted))
    located = flatten([Located(value, decl.span)]) if value is not None else []
    return [entry.value for entry in located if isinstance(entry.value, TargetValue)]


def _selected(wanted: selection.Selection, compilation: Compilation) -> list[TargetValue]:
    """Return the targets of a selection. Raises E0706 and E0707."""
    scope, name = _scope(wanted.name, compilation)
    values = _named(scope, name, compilation) if scope is not None else None
    if scope is None or values is None:
        kind = _kind(scope.decls.get(name)) if scope is not None else ""
        names = [one.replace("_", "-") if "-" in wanted.text else one for one in _names(compilation)]
        raise SourceError(problems.no_such_target(wanted.text.partition("[")[0], names, kind))
    if not wanted.choices:
        return values
    if isinstance(scope.decls[name], tree.Group):
        raise SourceError(problems.bad_selection(wanted.text, f"`{name}` is a group of targets"))
    choices = tuple(Choice(axis, value) for axis, value in wanted.choices)
    return [compilation.goals.select(value, choices, None, wanted.text) for value in values]


def _scope(name: str, compilation: Compilation) -> tuple[ModuleScope | None, str]:
    """Return the module in which to look up a name of the command line, and the name in it."""
    module, dot, member = name.rpartition(".")
    if not dot:
        return compilation.root, name
    scope = compilation.root.used(module)
    return (None if scope is None or member.startswith("_") else scope), member


def _kind(decl: tree.Decl | None) -> str:
    kinds = {tree.Param: "a param", tree.Let: "a value", tree.Def: "a function", tree.Use: "a module"}
    return kinds.get(type(decl), "") if decl is not None else ""


def _names(compilation: Compilation) -> list[str]:
    """Return the names that can be requested: the root file's, then those of the modules that it uses."""
    root = compilation.root
    names = [name for name, decl in root.decls.items() if isinstance(decl, tree.Target | tree.Group)]
    for alias, decl in root.decls.items():
        key = root.module.uses.get(alias) if isinstance(decl, tree.Use) else None
        members = compilation.program.modules[key].file.decls if key is not None else ()
        names += [
            f"{alias}.{one.name.name}"
            for one in members
            if isinstance(one, tree.Target) and not one.name.name.startswith("_")
        ]
    return names
