"""The parser: source text to the syntax tree (language spec, sections 4 and 5).

decode    bytes  -> Source, with the checks of a file's encoding
parse     Source -> Parsed: a tree for any text, and the mistakes in it
"""

from __future__ import annotations

from attrs import frozen

from pybuild.lang.diagnostics import Diagnostic, SourceError
from pybuild.lang.source import Source, Span
from pybuild.lang.textual import tree
from pybuild.lang.textual.problems import syntax
from pybuild.lang.textual.recovery import declarations
from pybuild.lang.textual.trivia import header

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

LARGEST: Final = 1024 * 1024


@frozen(eq=False)
class Parsed:
    """A parsed file, with its diagnostics in the order of their places."""

    file: tree.File
    diagnostics: tuple[Diagnostic, ...]


def decode(name: str, data: bytes) -> Source:
    """Decode the text of a file. Raises SourceError if it is not UTF-8, has a byte order mark or more than 1 MiB."""
    if len(data) > LARGEST:
        raise SourceError(syntax.too_large(name, LARGEST))
    text = data.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    source = Source(name, text)
    if text.startswith("\ufeff"):
        raise SourceError(syntax.byte_order_mark(Span(source, 1, 1, 1, 2)))
    if not text.isascii():
        surrogate = next((at for at, char in enumerate(text) if "\ud800" <= char <= "\udfff"), None)
        if surrogate is not None:
            line, column = text.count("\n", 0, surrogate) + 1, surrogate - text.rfind("\n", 0, surrogate)
            raise SourceError(syntax.not_text(Span(source, line, column, line, column + 1)))
    return source


def parse(source: Source) -> Parsed:
    """Parse a source. Never raises for its contents: a declaration with a mistake becomes `Broken` in the tree."""
    decls, comments, problems = declarations(source)
    head, comments, more = header(source, comments)
    diagnostics = sorted((*more, *problems), key=_place)
    return Parsed(
        tree.File(Span(source, 1, 1, *_end(source)), source, head, decls, comments), tuple(diagnostics)
    )


def _place(diagnostic: Diagnostic) -> tuple[int, int]:
    span = diagnostic.span
    return (span.line, span.column) if span else (0, 0)


def _end(source: Source) -> tuple[int, int]:
    text = source.text
    return text.count("\n") + 1, len(text) - text.rfind("\n")
