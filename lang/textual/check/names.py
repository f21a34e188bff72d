"""Names in places of values."""

from __future__ import annotations

from pybuild.lang.diagnostics import suggest
from pybuild.lang.textual import builtins, tree
from pybuild.lang.textual.check.visit import At
from pybuild.lang.textual.problems import names as problems
from pybuild.lang.textual.types import ERROR, OPTION, STEP, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.source import Span
    from pybuild.lang.textual.builtins import Signature
    from pybuild.lang.textual.check.scope import Binding, Scope

VALUE_KINDS: Final = ("param", "let", "parameter", "loop", "axis", "target", "test", "group")
"""Kinds of bindings that are values."""

_BODIES: Final = frozenset(("target", "test", "step", "state"))
_NULLS: Final = frozenset(("None", "null", "nil", "undefined"))


def name(expr: tree.Name, at: At) -> Type:
    binding = at.scope.lookup(expr.name)
    if binding is not None:
        at.checking.bindings[expr] = binding
        return _bound(expr, binding, at)
    if expr.name in builtins.VALUES:
        return _built_in(expr, at)
    function = at.scope.find(expr.name, callable=True)
    if function is not None:
        function.used = True
        at.report(function_as_value(expr.span, expr.name, function.signature))
    elif expr.name in builtins.FUNCTIONS or expr.name in builtins.OPTIONS:
        table = builtins.OPTIONS if _options_first(at) else builtins.FUNCTIONS
        signature = table.get(expr.name) or builtins.FUNCTIONS.get(expr.name) or builtins.OPTIONS[expr.name]
        kind = "a run option" if signature.kind == "option" else "a function"
        edit = f"{expr.name}()" if signature.kind == "option" and not signature.parameters else ""
        at.report(problems.not_a_value(expr.span, expr.name, kind, f"call it: `{usage(signature)}`", edit))
    elif expr.name in _NULLS:
        at.report(problems.no_null(expr.name, expr.span))
    else:
        near = similar(expr.name, at.scope) if at.checking.patient else None
        at.report(problems.unknown_name(expr.name, expr.span, near))
    return ERROR


def _options_first(at: At) -> bool:
    return at.wanted is not None and OPTION in at.wanted.types


def _bound(expr: tree.Name, binding: Binding, at: At) -> Type:
    if binding.kind != "module":
        if binding.constant is not None:
            at.checking.constants[expr] = binding.constant
        return binding.type
    if binding.module is not None:
        members = [f"`{expr.name}.{one.name}`" for one in binding.module.members()[:5]]
        help = f"use one of its members, such as {', '.join(members)}" if members else "it has no members"
        at.report(problems.not_a_value(expr.span, expr.name, "a module", help))
    return ERROR


def _built_in(expr: tree.Name, at: At) -> Type:
    checking, name = at.checking, expr.name
    if name == "vcs":
        at.report(problems.member_wanted(expr.span, name, builtins.MEMBERS["vcs"]))
        return ERROR
    if name in ("this", "platform") and checking.body not in _BODIES:
        if checking.body == "value":
            reason, help = "a function of values has no state", "pass it as an argument"
        else:
            reason = "only bodies of targets, tests, steps and state functions have it"
            help = "move this into a body" if name == "this" else "`build_platform` is known everywhere"
        at.report(problems.nowhere_here(expr.span, name, reason, help))
        return ERROR
    return builtins.VALUES[name]


def similar(name: str, scope: Scope) -> Binding | str | None:
    """Return the value with the most similar name, from the file or the built-ins."""
    known: dict[str, Binding] = {}
    for binding in scope.names(*VALUE_KINDS, "module"):
        known.setdefault(binding.name, binding)
    near = suggest(name, [*known, *builtins.VALUES, "true", "false"])
    return None if near is None else known.get(near, near)


def usage(signature: Signature, name: str = "") -> str:
    """Return the form of a call: the required arguments, or `…` if all are optional."""
    required = [one.name for one in signature.parameters if one.default is None]
    if signature.open is not None:
        required.append("NAME=value")
    elif signature.parameters and not required:
        required.append("…")
    return f"{name or signature.name}({', '.join(required)})"


def function_as_value(span: Span, name: str, signature: Signature | None) -> Diagnostic:
    """Return the message about a def that is used without a call."""
    if signature is None:
        return problems.not_a_value(span, name, "a function", "call it")
    call = usage(signature, name)
    if signature.returns == STEP:
        return problems.not_a_value(span, name, "a step", f"write `{call}` on a line of its own")
    return problems.not_a_value(span, name, "a function", f"call it: `{call}`")
