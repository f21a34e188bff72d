"""Attributes: members of modules, of `vcs`, of platforms and versions."""

from __future__ import annotations

from pybuild.lang.textual import builtins, tree
from pybuild.lang.textual.check.names import function_as_value
from pybuild.lang.textual.check.visit import At, Visit
from pybuild.lang.textual.problems import names as problems
from pybuild.lang.textual.problems.types import shown
from pybuild.lang.textual.types import ERROR, MapOf, Type, is_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.textual.builtins import Signature
    from pybuild.lang.textual.check.scope import Binding


def attribute(expr: tree.Attribute, at: At) -> Visit:
    owner = module_binding(expr.value, at)
    if owner is not None:
        return _module_value(expr, owner, at)
    if isinstance(expr.value, tree.Name) and expr.value.name == "vcs":
        return _vcs(expr, at)
    value = yield expr.value, at.wanting(None)
    return _member(expr, value, at)


def module_binding(expr: tree.Expr, at: At) -> Binding | None:
    """Return the module that `expr` names, None if it names none."""
    if not isinstance(expr, tree.Name):
        return None
    binding = at.scope.find(expr.name)
    if binding is None or binding.kind not in ("module", "broken"):
        return None
    binding.used = True
    at.checking.bindings[expr] = binding
    return binding


def module_member(expr: tree.Attribute, owner: Binding, at: At) -> Binding | None:
    """Return the member of a module if it may be used here; else None, after a message unless one has been given."""
    if owner.module is None:
        return None
    member, name = owner.module.member(expr.name.name), expr.name.name
    if member is None:
        places = {one.name: one.span for one in owner.module.members()}
        names = list(places)
        at.report(problems.unknown_member(name, expr.name.span, f"`{owner.name}`", names, places=places))
        return None
    if name.startswith("_"):
        at.report(problems.private_name(name, expr.name.span, owner.module.name))
        return None
    at.checking.bindings[expr] = member
    return None if member.kind == "broken" else member


def methods_of(type: Type) -> tuple[Signature, ...]:
    if is_text(type):
        return builtins.METHODS["str"]
    return builtins.METHODS["map"] if isinstance(type, MapOf) else ()


def no_member(expr: tree.Attribute, type: Type, at: At) -> None:
    """Report a member or method that values of `type` don't have."""
    names = [*builtins.MEMBERS.get(str(type), {}), *(one.name for one in methods_of(type))]
    at.report(problems.unknown_member(expr.name.name, expr.name.span, f"`{shown(type)}`", names))


def _module_value(expr: tree.Attribute, owner: Binding, at: At) -> Type:
    member = module_member(expr, owner, at)
    if member is None:
        return ERROR
    if member.kind == "def":
        name = f"{owner.name}.{member.name}"
        at.report(function_as_value(expr.span, name, member.signature))
        return ERROR
    if member.constant is not None:
        at.checking.constants[expr] = member.constant
    return member.type


def _vcs(expr: tree.Attribute, at: At) -> Type:
    members, name = builtins.MEMBERS["vcs"], expr.name
    if name.name not in members:
        at.report(problems.unknown_member(name.name, name.span, "`vcs`", list(members)))
    return members.get(name.name, ERROR)


def _member(expr: tree.Attribute, value: Type, at: At) -> Type:
    if value == ERROR:
        return ERROR
    name = expr.name
    members = builtins.MEMBERS.get(str(value), {})
    if name.name in members:
        return members[name.name]
    method = next((one for one in methods_of(value) if one.name == name.name), None)
    if method is None:
        no_member(expr, value, at)
    else:
        parameters = ", ".join(one.name for one in method.parameters)
        at.report(problems.method_not_called(name.span, name.name, parameters))
    return ERROR
