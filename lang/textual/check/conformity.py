"""The check that an expression fits its place. What doesn't fit is reported, with a replacement if one is likely.

Known texts are checked as well where a checked string or one of a union is expected (E0309)."""

from __future__ import annotations

import re

from pybuild.lang.textual import forms, tree
from pybuild.lang.textual.check import variables
from pybuild.lang.textual.problems import calls
from pybuild.lang.textual.problems import types as problems
from pybuild.lang.textual.problems.excerpt import excerpt
from pybuild.lang.textual.types import (
    BOOL,
    CHECKED,
    DURATION,
    ERROR,
    INT,
    OPTION,
    REF,
    SCALARS,
    SIZE,
    STATE,
    STEP,
    STR,
    TARGET,
    VERSION,
    ListOf,
    Literals,
    MapOf,
    Type,
    is_text,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from pybuild.lang.textual.check.visit import At
    from pybuild.lang.textual.check.wanted import Expectation

_QUANTITY: Final = re.compile(r"[0-9][0-9_]*(?:ms|s|m|h|[KMGT]i?B)")
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]*")


def conform(expr: tree.Expr, given: Type, at: At) -> Type:
    """Return `given`, the type of `expr`, or ERROR with a message if the type doesn't fit the place.

    Parentheses and ternaries pass: their inner expressions have been checked on their own."""
    wanted = at.wanted
    if wanted is None or given == ERROR or isinstance(expr, tree.Parens | tree.Ternary):
        return given
    fitting = wanted.accepting(given)
    if fitting is None:
        if wanted.type == STEP:
            return given
        _refuse(expr, given, wanted, at)
        return ERROR
    # The text stands for an image, so it must be a reference.
    if fitting == STATE and is_text(given):
        fitting = REF
    if fitting in CHECKED and not wanted.expands and not variables.allowed(expr, at):
        return ERROR
    return given if _known_fits(expr, given, fitting, wanted, at) else ERROR


def _known_fits(expr: tree.Expr, given: Type, type: Type, wanted: Expectation, at: At) -> bool:
    """Tell whether the known texts of an expression have the right form. Items of a literal list have been checked
    on their own."""
    value = at.checking.constants.get(expr)
    if given == STR and isinstance(value, str):
        return _valid(expr, value, type, wanted, at)
    if given == ListOf(STR) and isinstance(value, tuple) and not isinstance(expr, tree.List):
        item = type.item if isinstance(type, ListOf) else type
        return all(_valid(expr, one, item, wanted, at) for one in value if isinstance(one, str))
    return True


def _valid(expr: tree.Expr, value: str, type: Type, wanted: Expectation, at: At) -> bool:
    literal = isinstance(expr, tree.String) and len(expr.parts) <= 1
    if isinstance(type, Literals):
        if value in type.options:
            return True
        at.report(problems.no_such_option(expr.span, value, type.options, wanted.what, literal=literal))
        return False
    if type not in CHECKED:
        return True
    flaw = forms.flaw(str(type), value)
    if flaw is not None and not (wanted.expands and "$" in value):
        at.report(problems.bad_form(expr.span, type, value, flaw, literal=literal))
        return False
    return True


def _refuse(expr: tree.Expr, given: Type, wanted: Expectation, at: At) -> None:
    at.checking.refusals += 1
    # The items of a list share `at`: one message for all of one type.
    if given == at.refused:
        return
    at.refused = given
    if given == STEP:
        at.report(problems.mismatch(expr.span, given, str(wanted), wanted.what))
    elif given == OPTION:
        refuse_option(expr, at)
    elif given in SCALARS and not is_text(given) and wanted.type == STR:
        at.report(problems.needs_str(expr.span, given, str(wanted), wanted.what, as_text(expr)))
    else:
        write = next(filter(None, (_instead(expr, given, type, at) for type in wanted.types)), "")
        at.report(problems.mismatch(expr.span, given, str(wanted), wanted.what, write))


def refuse_option(expr: tree.Expr, at: At) -> None:
    """Report an option in place of a value: E0901 for a secret, else E0301."""
    source = _origin(expr, at)
    name = ""
    if isinstance(source, tree.Call):
        callee = at.checking.callees.get(source)
        name = callee.name if callee is not None and callee.kind == "option" else ""
    if name == "secret" and isinstance(source, tree.Call):
        at.report(calls.secret_as_value(expr.span, at.checking.statement, _mounted(source)))
    else:
        at.report(problems.option_as_value(expr.span, name or excerpt(expr.span) or "this"))


def _origin(expr: tree.Expr, at: At) -> tree.Expr:
    """Return the expression that created the value, following names and parentheses."""
    for _ in range(100):
        if isinstance(expr, tree.Parens):
            expr = expr.value
            continue
        binding = at.checking.bindings.get(expr)
        if binding is None or not isinstance(binding.node, tree.Let):
            break
        expr = binding.node.value
    return expr


def _mounted(call: tree.Call) -> str:
    """Return the option that mounts the same secret as a variable of a run, named after its id."""
    id = next((one.value for one in call.arguments if one.name is None or one.name.name == "id"), None)
    text = excerpt(id.span) if id is not None else ""
    if not text:
        return 'secret("id", env="NAME")'
    name = re.sub(r"[^A-Za-z0-9_]", "_", text.strip("\"'")).upper()
    return f'secret({text}, env="{name}")'


def as_text(expr: tree.Expr) -> str:
    """Return an expression for the text of a scalar, "" if the expression is too long to show."""
    text = excerpt(expr.span)
    if isinstance(expr, tree.Number) and (expr.kind != "int" or _DECIMAL.fullmatch(text)):
        return f'"{text}"'
    return f"str({text})" if text else ""


def _instead(expr: tree.Expr, given: Type, type: Type, at: At) -> str:
    """Return a replacement for `expr` where `type` is expected, "" if none is likely."""
    text = excerpt(expr.span)
    inner = text[1:-1] if isinstance(expr, tree.String) and not expr.raw else ""
    if not text:
        return ""
    if isinstance(type, ListOf):
        return f"[{text}]" if type.item == given or (is_text(type.item) and is_text(given)) else ""
    if type == BOOL:
        literal = {"0": "false", "1": "true", "true": "true", "false": "false"}.get(inner or text)
        return literal or condition(expr, given)
    if type == INT and is_text(given):
        return inner if _DECIMAL.fullmatch(inner) else "" if inner else f"int({text})"
    if type in (DURATION, SIZE):
        return inner if _QUANTITY.fullmatch(inner) else ""
    if type == STATE and is_text(given):
        return f"image({text})"
    if type == TARGET and is_text(given):
        near = at.scope.find(inner) if inner else None
        return inner if near is not None and near.kind in ("target", "test") else ""
    if type == VERSION and isinstance(expr, tree.Number) and expr.kind == "int":
        return f'"{text}"'
    return ""


def condition(expr: tree.Expr, given: Type) -> str:
    """Return the condition that a non-condition probably means, "" if none is likely."""
    text = excerpt(expr.span)
    if not text:
        return ""
    if isinstance(given, ListOf | MapOf):
        return f"len({text}) > 0"
    if isinstance(expr, tree.Binary | tree.Ternary | tree.Unary):
        text = f"({text})"
    if isinstance(given, Literals) or is_text(given):
        return f'{text} != ""'
    return f"{text} != 0" if given == INT else ""
