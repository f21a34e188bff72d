"""Warnings about code that is allowed but rarely intended (language spec, section 16, `W`), for one file of the
project.

Unused names are reported for `use`, for names with `_` and for lets of bodies; in a root file with targets also
for params and lets. In other files, params and names without `_` are the interface. Parameters, axes and loop
variables may always be unused. A file with errors has no unused names: the mistake may be the use.
"""

from __future__ import annotations

from collections import ChainMap

from pybuild.lang.textual import modules, tree
from pybuild.lang.textual.check.runlints import run_lints
from pybuild.lang.textual.check.volatile import volatile_names, volatile_runs
from pybuild.lang.textual.check.walk import preorder, statements
from pybuild.lang.textual.problems import lint as problems

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.textual.check.checking import Checking
    from pybuild.lang.textual.check.declarations import Declarations
    from pybuild.lang.textual.check.scope import Binding

_NOUNS = {"module": "module", "let": "`let`", "param": "param", "def": "function"}


def unused(origin: str, declarations: Declarations) -> Iterator[Diagnostic]:
    """Yield the warnings about unused names (W0201)."""
    targets = any(isinstance(decl, tree.Target) for decl in declarations.file.decls)
    kinds = ("module", "let", "param") if origin == modules.ROOT and targets else ("module",)
    scope = declarations.scope
    top = (*scope.values.values(), *scope.callables.values())
    candidates = [one for one in top if one.kind in kinds or one.name.startswith("_")]
    for binding in (*candidates, *declarations.locals):
        if not binding.used and binding.kind != "broken":
            yield _unused(binding)


def _unused(binding: Binding) -> Diagnostic:
    return problems.unused(binding.span, _NOUNS.get(binding.kind, binding.kind), binding.name)


def lints(
    file: tree.File, declarations: Declarations, environment: frozenset[str]
) -> Iterator[tuple[Diagnostic, int]]:
    """Yield each warning with the line of its statement. `environment` are the names of variables that the program
    sets anywhere."""
    checking = declarations.checking
    targets = {
        name: one for name, one in declarations.scope.values.items() if isinstance(one.node, tree.Target)
    }
    top = {name: one for name, one in declarations.scope.values.items() if one.kind in ("param", "let")}
    volatile = volatile_names(file)
    for decl in file.decls:
        if not isinstance(decl, tree.Def | tree.Target) or decl in declarations.refused:
            continue
        yield from volatile_runs(decl, volatile)
        names = ChainMap(declarations.inner.get(decl, {}), top)
        for statement in statements(decl.body):
            if isinstance(statement, tree.Run):
                for warning in run_lints(statement.script, names, environment, checking):
                    yield warning, statement.span.line
            elif isinstance(statement, tree.From | tree.Copy) and statement.state is not None:
                for warning in _target_names(statement.state, targets):
                    yield warning, statement.span.line


def _target_names(state: tree.Expr, targets: Mapping[str, Binding]) -> Iterator[Diagnostic]:
    """Yield the warnings about strings that name a target (W0604)."""
    stack = [state]
    while stack:
        expr = stack.pop()
        if isinstance(expr, tree.Parens):
            stack.append(expr.value)
        elif isinstance(expr, tree.Ternary):
            stack += (expr.otherwise, expr.then)
        elif isinstance(expr, tree.String):
            value = "".join(part.value if isinstance(part, tree.Text) else "\0" for part in expr.parts)
            if value in targets:
                yield problems.names_target(expr.span, value, targets[value].span)


def environment(program: modules.Program, checkings: Mapping[str, Checking]) -> frozenset[str]:
    """Return the names of environment variables that statements and run options of a program set."""
    names: set[str] = set()
    for key, module in program.modules.items():
        names.update(variables(module.file.decls, checkings[key]))
    return frozenset(names)


def variables(decls: Iterable[tree.Decl], checking: Checking) -> Iterator[str]:
    """Yield the names of environment variables that some declarations of a module set."""
    constants = checking.constants
    for node in preorder(*decls):
        if isinstance(node, tree.Env):
            yield from (one.name.name for one in node.assignments if one.name is not None)
        elif isinstance(node, tree.EnvMap):
            value = constants.get(node.value)
            yield from value if isinstance(value, dict) else ()
        elif isinstance(node, tree.Call) and isinstance(node.function, tree.Name):
            if node.function.name == "env":
                yield from (one.name.name for one in node.arguments if one.name is not None)
            elif node.function.name == "secret":
                env_names = [one.value for one in node.arguments if one.name and one.name.name == "env"]
                yield from (name for one in env_names if isinstance(name := constants.get(one), str))
