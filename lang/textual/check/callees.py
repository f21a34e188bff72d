"""Calls in expressions: their callee and their type."""

from __future__ import annotations

from attrs import frozen

from pybuild.lang.diagnostics import suggest
from pybuild.lang.textual import builtins, tree
from pybuild.lang.textual.check.arguments import arguments
from pybuild.lang.textual.check.members import methods_of, module_binding, module_member, no_member
from pybuild.lang.textual.check.results import result
from pybuild.lang.textual.check.visit import At, Visit
from pybuild.lang.textual.problems import calls as call_problems
from pybuild.lang.textual.problems import names as problems
from pybuild.lang.textual.problems import types as type_problems
from pybuild.lang.textual.types import ERROR, OPTION, STEP, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from typing import Final

    from pybuild.lang.source import Span
    from pybuild.lang.textual.builtins import Signature
    from pybuild.lang.textual.check.scope import Binding

_STATEMENTS: Final = builtins.BODY_KEYWORDS | {"if", "for", "with"}


@frozen
class _Callee:
    """A callee. `name` is as the call writes it, `declared` the place of a def; `receiver` is the type of a
    method's value."""

    signature: Signature
    name: str
    declared: Span | None = None
    receiver: Type = ERROR


def call(expr: tree.Call, at: At) -> Visit:
    callee = yield from _callee(expr.function, at)
    if callee is None:
        for argument in expr.arguments:
            yield argument.value, at.wanting(None)
        return ERROR
    signature = callee.signature
    at.checking.callees[expr] = signature
    passed = yield from arguments(expr, signature, callee.name, callee.receiver, at)
    if signature.returns == STEP and not _is_statement(at) and callee.declared is not None:
        at.report(call_problems.step_as_value(expr.span, callee.name, callee.declared))
        return ERROR
    return result(signature, callee.receiver, passed, at)


def _is_statement(at: At) -> bool:
    return at.wanted is not None and at.wanted.type == STEP


def _callee(function: tree.Expr, at: At) -> Generator[tuple[tree.Expr, At], Type, _Callee | None]:
    if isinstance(function, tree.Name):
        return _named(function, at)
    if isinstance(function, tree.Attribute):
        owner = module_binding(function.value, at)
        if owner is not None:
            return _of_module(function, owner, at)
        if not (isinstance(function.value, tree.Name) and function.value.name == "vcs"):
            value = yield function.value, at.wanting(None)
            return _method(function, value, at)
    type = yield function, at.wanting(None)
    if type != ERROR:
        at.report(type_problems.not_callable(function.span, type))
    return None


def _named(function: tree.Name, at: At) -> _Callee | None:
    name = function.name
    binding = at.scope.lookup_callable(name)
    if binding is not None:
        at.checking.bindings[function] = binding
        return None if binding.signature is None else _Callee(binding.signature, name, binding.span)
    signature = built_in(name, at)
    if signature is not None:
        return _Callee(signature, name)
    value = at.scope.lookup(name)
    if value is not None:
        at.checking.bindings[function] = value
        _refuse_value(function.span, name, value, at)
    elif name in builtins.VALUES:
        at.report(problems.built_in_called(function.span, name))
    else:
        _unknown(function, at)
    return None


def built_in(name: str, at: At) -> Signature | None:
    """Return the built-in of a name: an option first if one is expected, else a function or a source first."""
    tables: tuple[Mapping[str, Signature], ...] = (builtins.FUNCTIONS, builtins.OPTIONS)
    if at.wanted is not None and OPTION in at.wanted.types:
        tables = (builtins.OPTIONS, builtins.FUNCTIONS)
    return next((table[name] for table in tables if name in table), None)


def _refuse_value(span: Span, name: str, value: Binding, at: At) -> None:
    """Report a call of something that is no function."""
    if value.kind == "broken" or (value.kind == "module" and value.module is None):
        return
    help = ""
    if value.kind == "module" and value.module is not None:
        defs = [f"`{name}.{one.name}(…)`" for one in value.module.members() if one.kind == "def"]
        help = f"call one of its functions, such as {', '.join(defs[:3])}" if defs else "it has no functions"
    elif value.kind in ("target", "test"):
        help = f"write `{name}`, or choose instances with `{name}[axis=value]`"
    at.report(problems.not_a_function(span, name, value, help))


def _unknown(function: tree.Name, at: At) -> None:
    name = function.name
    defs: dict[str, Binding] = {}
    for binding in at.scope.names("def"):
        defs.setdefault(binding.name, binding)
    if _is_statement(at):
        near = suggest(name, [*_STATEMENTS, *(one for one in defs)]) if at.checking.patient else None
        at.report(call_problems.unknown_statement(name, function.span, near))
        return
    tables = [*builtins.FUNCTIONS, *builtins.OPTIONS]
    near = suggest(name, [*defs, *tables]) if at.checking.patient else None
    known = None if near is None else defs.get(near, near)
    at.report(problems.unknown_name(name, function.span, known, "function"))


def _of_module(function: tree.Attribute, owner: Binding, at: At) -> _Callee | None:
    member = module_member(function, owner, at)
    if member is None:
        return None
    name = f"{owner.name}.{member.name}"
    if member.kind != "def":
        _refuse_value(function.span, name, member, at)
        return None
    return None if member.signature is None else _Callee(member.signature, name, member.span)


def _method(function: tree.Attribute, value: Type, at: At) -> _Callee | None:
    if value == ERROR:
        return None
    name = function.name.name
    method = next((one for one in methods_of(value) if one.name == name), None)
    if method is not None:
        return _Callee(method, name, receiver=value)
    members = builtins.MEMBERS.get(str(value), {})
    if name in members:
        at.report(type_problems.not_callable(function.span, members[name]))
    else:
        no_member(function, value, at)
    return None
