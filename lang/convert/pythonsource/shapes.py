"""Lays out Python as documents (`lang.textual.fmt.docs`) that break where `ruff format` breaks lines."""

from __future__ import annotations

from pybuild.lang.textual.fmt.docs import HARD, SOFT, SPACE, Choice, Concat, Doc, Group, Nest, Trailing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def separated(items: Sequence[Doc], *, comma: bool) -> list[Doc]:
    """Put a comma and a possible line end between items; with `comma` also a comma after the last if they break."""
    out: list[Doc] = []
    for at, item in enumerate(items):
        out += [",", SPACE, item] if at else [item]
    return [*out, Trailing(",")] if comma else out


def call(function: Doc, arguments: Sequence[Doc]) -> Doc:
    """Lay out a call: all arguments on its line, or on the next one, or each on a line of its own."""
    return Concat([function, arguments_of(arguments, comma=len(arguments) > 1)])


def arguments_of(arguments: Sequence[Doc], *, comma: bool) -> Doc:
    if not arguments:
        return "()"
    return Group(["(", Nest([SOFT, Group(separated(arguments, comma=comma))]), SOFT, ")"])


def bracketed(opening: str, items: Sequence[Doc], closing: str) -> Doc:
    """Lay out a list or a dict: one item per line if it breaks."""
    if not items:
        return opening + closing
    inside: list[Doc] = [SOFT, *separated(items, comma=len(items) > 1)]
    return Group([opening, Nest(inside), SOFT, closing])


def comprehension(opening: str, clauses: Sequence[Doc], closing: str) -> Doc:
    body: list[Doc] = []
    for at, clause in enumerate(clauses):
        body += [SPACE, clause] if at else [clause]
    return Group([opening, Nest([SOFT, Group(body)]), SOFT, closing])


def chain(parts: Sequence[tuple[str, Doc]]) -> Doc:
    """Lay out operands, each with the operator before it; inside brackets a line can end before each operator."""
    out: list[Doc] = [parts[0][1]]
    for word, operand in parts[1:]:
        out += [SPACE, f"{word} ", operand]
    return Group(out)


def row(parts: Sequence[tuple[str, Doc]]) -> Doc:
    """Lay out operands like `chain`, but with lines that end only inside the operands."""
    out: list[Doc] = [parts[0][1]]
    for word, operand in parts[1:]:
        out += [f" {word} ", operand]
    return Concat(out)


def parenthesised(value: Doc) -> Doc:
    return Group(["(", Nest([SOFT, value]), SOFT, ")"])


def in_parentheses_if_long(value: Doc) -> Doc:
    return Group([Trailing("("), Nest([SOFT, value]), SOFT, Trailing(")")])


def pieces(whole: str, rows: Sequence[str]) -> Doc:
    """Lay out a string literal; if it is too long, as one literal for each row of its text."""
    out: list[Doc] = []
    for at, text in enumerate(rows):
        out += [HARD, text] if at else [text]
    return Choice(Concat([whole]), Concat(out))


def named(name: str, value: Doc) -> Doc:
    return Concat([f"{name}=", value])


def subscript(value: Doc, index: Doc) -> Doc:
    return Concat([value, Group(["[", Nest([SOFT, index]), SOFT, "]"])])
