"""Conversions between types (language spec, section 6) for known values. A value that doesn't fit is E0309."""

from __future__ import annotations

from collections.abc import Mapping

from pybuild.lang import recipe
from pybuild.lang.diagnostics import SourceError
from pybuild.lang.textual import forms, tree
from pybuild.lang.textual.expand.frame import Compilation, Frame
from pybuild.lang.textual.expand.values import Dollar, Platform, TargetValue, Value, Version, text_of
from pybuild.lang.textual.problems import types as problems
from pybuild.lang.textual.types import (
    CHECKED,
    PLATFORM,
    REF,
    STATE,
    STR,
    VERSION,
    ListOf,
    Literals,
    MapOf,
    Type,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.diagnostics import Diagnostic


def convert(value: Value, wanted: Type, expr: tree.Expr, frame: Frame, compilation: Compilation) -> Value:
    """Convert a value to type `wanted`. `expr` is its expression. A list converts item by item, even if `wanted`
    is the type of one item."""
    if isinstance(value, tuple):
        item = wanted.item if isinstance(wanted, ListOf) else wanted
        return tuple(convert(member, item, expr, frame, compilation) for member in value)
    if isinstance(value, Mapping):
        if not isinstance(wanted, MapOf):
            return value
        return {key: convert(member, wanted.item, expr, frame, compilation) for key, member in value.items()}
    if wanted == STATE:
        return _state(value, expr, frame, compilation)
    if not isinstance(value, str | Version):
        return value
    if wanted == STR:
        return str(value) if isinstance(value, Version | Platform) else value
    if wanted in CHECKED:
        return _checked(value, wanted, expr, frame)
    if isinstance(wanted, Literals):
        return _option(text_of(value), wanted, expr)
    return value


def _state(value: Value, expr: tree.Expr, frame: Frame, compilation: Compilation) -> Value:
    if isinstance(value, TargetValue):
        return compilation.state_of(value, frame, expr.span)
    if isinstance(value, str):
        return recipe.Image(expr.span, text_of(_checked(value, REF, expr, frame)), frame.taken_for)
    return value


def _checked(value: str | Version, wanted: Type, expr: tree.Expr, frame: Frame) -> Value:
    text = plain(value, frame) if isinstance(value, str) else value.text
    flaw = forms.flaw(str(wanted), text)
    if flaw is not None:
        literal = isinstance(expr, tree.String)
        raise SourceError(problems.bad_form(expr.span, wanted, text, flaw, literal=literal))
    if wanted == PLATFORM:
        return Platform(text)
    return Version(text) if wanted == VERSION else text


def _option(text: str, wanted: Literals, expr: tree.Expr) -> str:
    if text not in wanted.options:
        literal = isinstance(expr, tree.String)
        raise SourceError(problems.no_such_option(expr.span, text, wanted.options, "", literal=literal))
    return text


def plain(value: str, frame: Frame) -> str:
    """Return the text of a string in a place that expands no `$X`. Raises E0106."""
    if isinstance(value, Dollar):
        raise SourceError(_unexpanded(value.variable, frame))
    return text_of(value)


def _unexpanded(variable: recipe.Variable, frame: Frame) -> Diagnostic:
    if variable.span is None:
        raise ValueError("a variable of the language has a place")
    for decl in frame.module.module.file.decls:
        if isinstance(decl, tree.Param | tree.Let) and decl.name.name.lower() == variable.name.lower():
            kind = "param" if isinstance(decl, tree.Param) else "`let`"
            return problems.unexpanded(variable.span, variable.text, decl.name.name, kind)
    return problems.unexpanded(variable.span, variable.text, "", "")
