"""Scripts and texts with values in them: `"echo ${{name}}", name=value`, or a template string of Python 3.14."""

from __future__ import annotations

import re
import textwrap

from pybuild.lang.python import problems
from pybuild.lang.python.callsite import occurrences
from pybuild.lang.python.literals import literal
from pybuild.lang.python.recording import wrong
from pybuild.lang.textual import tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Final

    from pybuild.lang.python.callsite import Site
    from pybuild.lang.source import Span

_HOLE: Final = re.compile(r"(?P<literal>\$\$\{\{)|\$\{\{(?:\s*(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*\}\})?")

_IMPOSSIBLE: Final = re.compile("[\0\ud800-\udfff]")
"""Characters that no script can have: arguments of programs are UTF-8 texts that end with a null character."""


def script(text: object, values: Mapping[str, object], site: Site) -> tree.Script:
    """Return the script of a `run`. A text of several lines is a block, whose common indentation is removed."""
    span = site.positional(0)
    if isinstance(text, str):
        pieces = list(_pieces(_shaped(text), values, site, span))
    else:
        pieces = list(_of_template(text, values, site, span))
    if pieces in ([], [""]):
        raise wrong(problems.empty_script(span))
    for piece in pieces:
        if isinstance(piece, str) and _IMPOSSIBLE.search(piece):
            raise wrong(problems.no_unicode(span))
    block = any(isinstance(piece, str) and "\n" in piece for piece in pieces)
    if block and isinstance(pieces[-1], str) and not pieces[-1].endswith("\n"):
        pieces[-1] += "\n"
    elif block and not isinstance(pieces[-1], str):
        pieces.append("\n")
    parts = (
        tree.ScriptText(span, piece) if isinstance(piece, str) else tree.Interpolation(piece.span, piece)
        for piece in pieces
        if piece != ""
    )
    return tree.Script(span, tuple(parts), block)


def _shaped(text: str) -> str:
    """Remove the lines' common indentation, and blank lines at both ends."""
    if "\n" not in text:
        return text.strip()
    lines = textwrap.dedent(text).split("\n")
    while lines and not lines[0].strip():
        del lines[0]
    while lines and not lines[-1].strip():
        del lines[-1]
    return textwrap.dedent("\n".join(lines))


def _pieces(text: str, values: Mapping[str, object], site: Site, span: Span) -> Iterator[str | tree.Expr]:
    used: set[str] = set()
    at = 0
    plain = ""
    for hole in _HOLE.finditer(text):
        plain += text[at : hole.start()]
        at = hole.end()
        name = hole["name"]
        if hole["literal"]:
            plain += "${{"
            continue
        if name is None:
            shown = text[at : at + 20].partition("}}")[0].partition("\n")[0]
            raise wrong(problems.not_a_name(_written(span, f"${{{{{shown}"), shown))
        if name not in values:
            raise wrong(problems.missing_value(_written(span, hole.group()), name))
        used.add(name)
        yield plain
        plain = ""
        yield literal(values[name], site.named(name), plain=True)
    for name in values:
        if name not in used:
            raise wrong(problems.unused_value(site.named(name), name))
    yield plain + text[at:]


def _written(span: Span, text: str) -> Span:
    """Return the place of a part of the script; the whole script's if it isn't written out."""
    return occurrences(span, [text])[0]


def is_template(text: object) -> bool:
    """True for a template string (PEP 750)."""
    return type(text).__module__ == "string.templatelib" and hasattr(text, "interpolations")


def _of_template(
    text: object, values: Mapping[str, object], site: Site, span: Span
) -> Iterator[str | tree.Expr]:
    """Yield the pieces of a template string, shaped as one text."""
    if not is_template(text):
        raise wrong(problems.no_script(span, type(text).__name__))
    for name in values:
        raise wrong(problems.unused_value(site.named(name), name))
    strings: tuple[str, ...] = text.strings  # type: ignore[attr-defined]
    inserted = [_converted(one) for one in text.interpolations]  # type: ignore[attr-defined]
    # Indentation is that of the whole text, so join it first: null stands for each value, as no script has
    # it.
    whole = _shaped("\0".join(one.replace("\0", "") for one in strings)).split("\0")
    for at, piece in enumerate(whole):
        yield piece
        if at < len(inserted):
            yield literal(inserted[at], span, plain=True)


def _converted(interpolation: object) -> object:
    """Return the value of an interpolation, with its conversion and format applied."""
    value: object = interpolation.value  # type: ignore[attr-defined]
    conversion: str | None = interpolation.conversion  # type: ignore[attr-defined]
    spec: str = interpolation.format_spec  # type: ignore[attr-defined]
    if conversion:
        value = repr(value) if conversion == "r" else ascii(value) if conversion == "a" else str(value)
    return format(value, spec) if spec else value
