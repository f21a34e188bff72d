"""Turns Python values into expressions of the language."""

from __future__ import annotations

import datetime
import os

from attrs import evolve

from pybuild.lang.python import problems
from pybuild.lang.python.callsite import occurrences
from pybuild.lang.python.expressions import Expression
from pybuild.lang.python.quantities import Duration, Plain, Raw, Size, Version, duration_of, size_of
from pybuild.lang.python.recording import wrong
from pybuild.lang.textual import tree
from pybuild.lang.textual.literals import LARGEST, with_variables
from pybuild.lang.textual.problems import syntax
from pybuild.lang.textual.types import DURATION, SIZE, ListOf, MapOf, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.source import Span


def literal(value: object, span: Span, wanted: Type | None = None, *, plain: bool = False) -> tree.Expr:
    """Return the expression of a value that stands at `span`. Raises SourceError (E0108, E0301).

    A text such as `30s` becomes a duration or a size if the type `wanted` is one; with `plain`, `$X` in a text is no
    variable.
    """
    if isinstance(value, Expression):
        return value.at(span)
    if isinstance(value, bool):
        return tree.Bool(span, value)
    if isinstance(value, Size | Duration):
        return tree.Number(span, "size" if isinstance(value, Size) else "duration", _in_range(value, span))
    if isinstance(value, int):
        number = tree.Number(span, "int", _in_range(abs(value), span))
        return number if value >= 0 else tree.Unary(span, "-", number)
    if isinstance(value, datetime.timedelta):
        amount = value // datetime.timedelta(microseconds=1) * 1000
        return tree.Number(span, "duration", _in_range(amount, span))
    if isinstance(value, str):
        return _text(value, span, wanted, plain)
    if isinstance(value, os.PathLike):
        return literal(os.fspath(value), span, wanted, plain=plain)
    if isinstance(value, list | tuple):
        return _list(value, span, wanted, plain)
    if isinstance(value, dict):
        return _map(value, span, wanted, plain)
    raise wrong(_no_value(value, span))


def string(value: str, span: Span, *, plain: bool = False) -> tree.String:
    """Return a string literal; with `plain` a `$` in it is just that character."""
    if not value:
        return tree.String(span, ())
    text = tree.Text(span, value) if plain or "$" not in value else _placed(with_variables(value, span))
    return tree.String(span, (text,))


def _placed(text: tree.Text) -> tree.Text:
    """Give the variables of a text their own places within its span."""
    places = occurrences(text.span, [one.text for one in text.variables])
    return evolve(text, variables=tuple(map(_moved, text.variables, places)))


def _moved(variable: tree.Variable, span: Span) -> tree.Variable:
    return evolve(variable, span=span)


def _text(value: str, span: Span, wanted: Type | None, plain: bool) -> tree.Expr:
    text = str.__str__(value)
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise wrong(problems.no_unicode(span))
    if wanted == DURATION and (duration := duration_of(text)) is not None:
        return tree.Number(span, "duration", _in_range(duration, span))
    if wanted == SIZE and (size := size_of(text)) is not None:
        return tree.Number(span, "size", _in_range(size, span))
    expression = string(text, span, plain=plain or isinstance(value, Plain | Raw | Version))
    if isinstance(value, Raw):
        return tree.Call(span, tree.Name(span, "raw"), (tree.Argument(span, None, expression),))
    return expression


def _list(items: Sequence[object], span: Span, wanted: Type | None, plain: bool) -> tree.List:
    inner = wanted.item if isinstance(wanted, ListOf) else wanted
    return tree.List(span, tuple(literal(item, span, inner, plain=plain) for item in items))


def _map(items: Mapping[object, object], span: Span, wanted: Type | None, plain: bool) -> tree.Map:
    inner = wanted.item if isinstance(wanted, MapOf) else None
    entries = []
    for key, value in items.items():
        if not isinstance(key, str):
            help = "the keys of a map are strings"
            raise wrong(problems.no_value(span, f"dict with keys of {type(key).__name__}", help))
        expression = literal(value, span, inner, plain=plain)
        entries.append(tree.Entry(span, string(key, span, plain=True), expression))
    return tree.Map(span, tuple(entries))


def _in_range(number: int, span: Span) -> int:
    if not 0 <= number <= LARGEST:
        raise wrong(syntax.large_number(span))
    return int(number)


def _no_value(value: object, span: Span) -> Diagnostic:
    from pybuild.lang.python.states import StateFunction

    if isinstance(value, StateFunction):
        return problems.not_called(span, value.__name__)
    return problems.no_value(span, type(value).__name__, _instead(value))


def _instead(value: object) -> str:
    from pybuild.lang.python.functions import ReturnValue

    if isinstance(value, ReturnValue):
        return "it is known when the step has run: pass it to another call, or have the function write a file"
    if value is None:
        return 'use an empty value, such as "" or [], or leave the argument out'
    if isinstance(value, set | frozenset):
        return "a set has no order: write sorted(…)"
    if isinstance(value, bytes):
        return "decode it to text"
    if isinstance(value, float):
        return "numbers are whole: write a string"
    if callable(value):
        return "decorate the function with @pb.target, @pb.state or @pb.step, or call it"
    return "strings, numbers, lists, dicts, states and targets do"
