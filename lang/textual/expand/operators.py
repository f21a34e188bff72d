"""Operators on values (language spec, section 6). Types have been checked, so only values can be wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pybuild.lang import recipe
from pybuild.lang.diagnostics import SourceError
from pybuild.lang.textual import forms
from pybuild.lang.textual.expand import limits
from pybuild.lang.textual.expand.values import (
    Dollar,
    Duration,
    Platform,
    Size,
    Value,
    Version,
    text_of,
    version_key,
)
from pybuild.lang.textual.problems import values as problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Final

    from pybuild.lang.source import Span
    from pybuild.lang.textual.expand.frame import Compilation


def binary(op: str, left: Value, right: Value, span: Span, compilation: Compilation) -> Value:
    """Return the result of any operator but `and` and `or`. `span` is the whole expression's."""
    if op in ORDERS:
        return ORDERS[op](order(left), order(right))
    if op in _ARITHMETIC:
        return _ARITHMETIC[op](left, right, span, compilation)
    if op in ("==", "!="):
        for value in (left, right):
            _visit(value, span, compilation)
        return equal(left, right) is (op == "==")
    _visit(right, span, compilation)
    return contains(right, left) is (op == "in")


def negative(value: Value, span: Span, compilation: Compilation) -> Value:
    return limits.integer(-value, span, compilation) if isinstance(value, int) else value


def order(value: Value) -> object:
    """Return the sort key of a value."""
    return value.key if isinstance(value, Version) else value


def in_order(items: tuple[Value, ...]) -> tuple[Value, ...]:
    """Return the items in ascending order. Versions among strings are compared as strings."""
    versions = sum(isinstance(item, Version) for item in items)
    key = text_of if 0 < versions < len(items) else order
    return tuple(sorted(items, key=key))  # type: ignore[arg-type]


ORDERS: Final[Mapping[str, Callable[..., bool]]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}
"""Comparisons by order. Both sides have one type: strings beside versions were read as versions."""


def equal(left: Value, right: Value) -> bool:
    """Compare two values. A str is compared with a version as a version, with a platform by its canonical
    spelling."""
    if isinstance(left, Version) or isinstance(right, Version):
        return _version(left) == _version(right)
    if isinstance(left, Platform) != isinstance(right, Platform):
        return _platform(left) == _platform(right)
    if isinstance(left, tuple) and isinstance(right, tuple):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    return left == right


def _version(value: Value) -> object:
    text = text_of(value)
    return version_key(text) if forms.version(text) is None else text


def _platform(value: Value) -> str:
    text = text_of(value)
    return Platform(text) if forms.platform(text) is None else text


def contains(container: Value, item: Value) -> bool:
    """Evaluate `in`: an item of a list, a key of a map, a part of a string."""
    if isinstance(container, tuple):
        return any(equal(one, item) for one in container)
    if isinstance(container, Mapping):
        return text_of(item) in container
    return text_of(item) in text_of(container)


def _visit(value: Value, span: Span, compilation: Compilation) -> None:
    if isinstance(value, tuple | Mapping):
        limits.visit(len(value), span, compilation)
    elif isinstance(value, str):
        limits.string(value, span, compilation)


def _add(left: Value, right: Value, span: Span, compilation: Compilation) -> Value:
    if isinstance(left, str | Version) and isinstance(right, str | Version):
        return limits.string(join(_text(left), _text(right)), span, compilation)
    if isinstance(left, tuple) and isinstance(right, tuple):
        return limits.items(left + right, span, compilation)
    if isinstance(left, Duration) and isinstance(right, Duration):
        return Duration(limits.integer(left.ns + right.ns, span, compilation))
    if isinstance(left, Size) and isinstance(right, Size):
        return Size(limits.integer(left.bytes + right.bytes, span, compilation))
    return limits.integer(_int(left) + _int(right), span, compilation)


def _text(value: str | Version) -> str:
    return value if isinstance(value, str) else value.text


def join(*strings: str) -> str:
    """Concatenate strings, keeping the `$X` of those that have any."""
    if any(isinstance(one, Dollar) for one in strings):
        return Dollar(tuple(_pieces(strings)))
    return "".join(strings)


def _pieces(strings: Iterable[str]) -> Iterator[str | recipe.Variable]:
    """Yield the pieces of a template, with adjacent texts joined."""
    text: list[str] = []
    for string in strings:
        for piece in string.template if isinstance(string, Dollar) else (text_of(string),):
            if isinstance(piece, str):
                text.append(piece)
                continue
            if joined := "".join(text):
                yield joined
            text = []
            yield piece
    if joined := "".join(text):
        yield joined


def _subtract(left: Value, right: Value, span: Span, compilation: Compilation) -> Value:
    return limits.integer(_int(left) - _int(right), span, compilation)


def _multiply(left: Value, right: Value, span: Span, compilation: Compilation) -> Value:
    if isinstance(right, Duration | Size):
        left, right = right, left
    by = _int(right)
    if isinstance(left, Duration | Size) and by < 0:
        raise SourceError(problems.negative(left, by, span))
    if isinstance(left, Duration):
        return Duration(limits.integer(left.ns * by, span, compilation))
    if isinstance(left, Size):
        return Size(limits.integer(left.bytes * by, span, compilation))
    return limits.integer(_int(left) * by, span, compilation)


def _divide(left: Value, right: Value, span: Span, compilation: Compilation) -> Value:
    if right == 0:
        raise SourceError(problems.by_zero("//", span))
    return limits.integer(_int(left) // _int(right), span, compilation)


def _remainder(left: Value, right: Value, span: Span, compilation: Compilation) -> Value:
    if right == 0:
        raise SourceError(problems.by_zero("%", span))
    return _int(left) % _int(right)


def _int(value: Value) -> int:
    if not isinstance(value, int):
        raise TypeError(f"no operator takes {type(value).__name__} here")
    return value


_ARITHMETIC: Final[Mapping[str, Callable[[Value, Value, Span, Compilation], Value]]] = {
    "+": _add,
    "-": _subtract,
    "*": _multiply,
    "//": _divide,
    "%": _remainder,
}
