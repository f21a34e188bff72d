"""The static check of a program (language spec, section 7, phase 3): whole modules, without values of params."""

from __future__ import annotations

from attrs import frozen

from pybuild.lang.textual import modules, tree
from pybuild.lang.textual.arrange import arranged
from pybuild.lang.textual.check.bodies import check_body
from pybuild.lang.textual.check.capabilities import check_capability
from pybuild.lang.textual.check.cycles import cycles
from pybuild.lang.textual.check.declarations import Declarations
from pybuild.lang.textual.check.instances import check_instances
from pybuild.lang.textual.check.lints import environment, lints, unused
from pybuild.lang.textual.check.options import built_in, check_option
from pybuild.lang.textual.check.related import put_together
from pybuild.lang.textual.check.walk import preorder
from pybuild.lang.textual.trivia import allowed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.textual.check.checking import Checking
    from pybuild.lang.textual.check.exports import ModuleTypes


@frozen
class CheckResult:
    """The result of a check: facts about each module by key, and all messages, in no order."""

    modules: Mapping[str, ModuleTypes]
    checkings: Mapping[str, Checking]
    diagnostics: tuple[Diagnostic, ...]


def check(program: modules.Program) -> list[Diagnostic]:
    """Return a program's errors and warnings in the order of display. Warnings are only about the project's files."""
    return arranged(checked(program).diagnostics)


def checked(program: modules.Program) -> CheckResult:
    """Check a program. Returns the messages with the facts about expressions."""
    types: dict[str, ModuleTypes] = {}
    checkings: dict[str, Checking] = {}
    messages: dict[str, list[Diagnostic]] = {}
    done: dict[str, Declarations] = {}
    for key, module in program.modules.items():
        reported: list[Diagnostic] = []
        declarations = Declarations(module, types, reported.append)
        types[key] = declarations.check()
        checkings[key] = declarations.checking
        _rules(module, declarations, reported)
        done[key] = declarations
        messages[key] = put_together(reported, module.file, declarations.checking)
    variables = environment(program, checkings)
    for key, module in program.modules.items():
        if module.recorded is not None:
            messages[key] = _without_allowed(messages[key], module.file)
        elif module.origin in (modules.ROOT, modules.PROJECT):
            messages[key].extend(_warnings(module, done[key], messages[key], variables))
            messages[key] = _without_allowed(messages[key], module.file)
        else:
            messages[key] = [one for one in messages[key] if one.level == "error"]
    return CheckResult(types, checkings, tuple(one for key in reversed(messages) for one in messages[key]))


def _rules(module: modules.Module, declarations: Declarations, reported: list[Diagnostic]) -> None:
    """Check the rules that need all types."""
    checking = declarations.checking
    reported.extend(cycles(module.file))
    for decl in module.file.decls:
        if isinstance(decl, tree.Def | tree.Target) and not (decl in declarations.refused or module.recorded):
            reported.extend(check_body(decl, checking))
    check_nodes(module.file.decls, module, checking)


def check_nodes(decls: Iterable[tree.Decl], module: modules.Module, checking: Checking) -> None:
    """Check the rules that apply to every expression and need all types. Messages go to `checking`."""
    for node in preorder(*decls):
        if isinstance(node, tree.Call):
            signature = built_in(node, checking)
            if signature is not None:
                check_option(node, signature, checking)
                check_capability(node, signature, module.origin, checking)
        check_instances(node, checking)


def _warnings(
    module: modules.Module, declarations: Declarations, reported: list[Diagnostic], variables: frozenset[str]
) -> list[Diagnostic]:
    silent = allowed(module.file)
    warnings = [
        warning
        for warning, line in lints(module.file, declarations, variables)
        if warning.code not in silent.get(line, ())
    ]
    broken = any(isinstance(node, tree.Broken) for node in preorder(*module.file.decls))
    # The mistake may be the missing use of a name.
    if not broken and not any(one.level == "error" for one in reported):
        warnings.extend(unused(module.origin, declarations))
    return warnings


def _without_allowed(diagnostics: list[Diagnostic], file: tree.File) -> list[Diagnostic]:
    silent = allowed(file)
    return [
        diagnostic
        for diagnostic in diagnostics
        if diagnostic.level == "error" or diagnostic.code not in silent.get(_line(diagnostic), ())
    ]


def _line(diagnostic: Diagnostic) -> int:
    return diagnostic.span.line if diagnostic.span is not None else 0
