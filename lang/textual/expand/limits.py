"""Limits on values (language spec, section 7), which bound a compile in time and space."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sized
    from typing import Final, TypeVar

    from pybuild.lang.source import Span
    from pybuild.lang.textual.expand.frame import Compilation

    Text = TypeVar("Text", bound=str)
    Items = TypeVar("Items", bound=Sized)

STRING: Final = 1 << 20  # bytes of UTF-8
ITEMS: Final = 100_000
_INTEGER: Final = 1 << 63
_CHARACTERS_A_STEP: Final = 1000
_ITEMS_A_STEP: Final = 100


def string(text: Text, span: Span, compilation: Compilation) -> Text:
    """Return a string, and count steps by its length. Raises E0703 if it is too long."""
    # Most strings are short, cannot exceed the limit, and cost no step.
    if len(text) > _CHARACTERS_A_STEP:
        compilation.count(span, len(text) // _CHARACTERS_A_STEP)
        length(len(text) if text.isascii() else len(text.encode(errors="surrogatepass")), span, compilation)
    return text


def length(size: int, span: Span, compilation: Compilation) -> None:
    """Raise E0703 for a string of too many bytes."""
    if size > STRING:
        compilation.exceeded("a string is longer than 1 MiB", span)


def items(value: Items, span: Span, compilation: Compilation) -> Items:
    """Return a list or map, and count steps by its length. Raises E0703 if it has too many items."""
    visit(len(value), span, compilation)
    count(len(value), span, compilation)
    return value


def count(number: int, span: Span, compilation: Compilation) -> None:
    """Raise E0703 for a list or map of too many items."""
    if number > ITEMS:
        compilation.exceeded("a list has more than 100,000 items", span)


def visit(number: int, span: Span, compilation: Compilation) -> None:
    """Count steps for a walk over `number` items."""
    if number >= _ITEMS_A_STEP:
        compilation.count(span, number // _ITEMS_A_STEP)


def integer(value: int, span: Span, compilation: Compilation) -> int:
    if not -_INTEGER <= value < _INTEGER:
        compilation.exceeded("a number has more than 64 bits", span)
    return value
