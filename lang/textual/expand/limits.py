"""Bounds on values (spec section 7), which keep a compile finite in time and space too."""

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
    """The string, if it is not too long; making it counts by its length."""
    if len(text) > _CHARACTERS_A_STEP:
        compilation.count(span, len(text) // _CHARACTERS_A_STEP)
        length(len(text) if text.isascii() else len(text.encode(errors="surrogatepass")), span, compilation)
    return text


def length(size: int, span: Span, compilation: Compilation) -> None:
    """Raises for a string of more bytes than there may be."""
    if size > STRING:
        compilation.exceeded("a string is longer than 1 MiB", span)


def items(value: Items, span: Span, compilation: Compilation) -> Items:
    """The list or map, if it is not too long."""
    visit(len(value), span, compilation)
    count(len(value), span, compilation)
    return value


def count(number: int, span: Span, compilation: Compilation) -> None:
    """Raises for a list or map of more items than there may be."""
    if number > ITEMS:
        compilation.exceeded("a list has more than 100,000 items", span)


def visit(number: int, span: Span, compilation: Compilation) -> None:
    """Counts for a walk over so many items."""
    if number >= _ITEMS_A_STEP:
        compilation.count(span, number // _ITEMS_A_STEP)


def integer(value: int, span: Span, compilation: Compilation) -> int:
    if not -_INTEGER <= value < _INTEGER:
        compilation.exceeded("a number has more than 64 bits", span)
    return value
