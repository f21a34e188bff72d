"""Warnings about scripts: `$param` (W0601), a lone `cd` (W0602), a command word with spaces (W0603).

Scripts of other interpreters (`#!`) are not checked."""

from __future__ import annotations

import re

from pybuild.lang.source import Span
from pybuild.lang.textual import tree
from pybuild.lang.textual.check.scripts import position, scanned, spliced
from pybuild.lang.textual.problems import lint as problems
from pybuild.lang.textual.problems.excerpt import excerpt
from pybuild.lang.textual.types import ERROR, is_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Final

    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.quoting.places import Scan
    from pybuild.lang.textual.check.checking import Checking
    from pybuild.lang.textual.check.scope import Binding

_CD: Final = re.compile(r"cd(?:[ \t]+([^\s;&|<>$`\"'()]+))?")
_KNOWN: Final = frozenset(
    "HOME HOSTNAME IFS LANG LOGNAME OLDPWD OPTARG OPTIND PATH PPID PWD SHELL TERM TMPDIR UID USER".split()
)
"""Variables that every shell or container sets."""

_NOUNS: Final = {"let": "`let`", "loop": "loop variable"}


def run_lints(
    script: tree.Script, names: Mapping[str, Binding], environment: frozenset[str], checking: Checking
) -> Iterator[Diagnostic]:
    scan = scanned(script)
    if scan.text.startswith("#!"):
        return
    yield from _variables(script, scan, names, environment)
    yield from _lone_cd(script, scan.text)
    for part, place in spliced(script, scan):
        value = _value(part.value, checking)
        if place.command and not place.glued and value is not None and len(value.split()) > 1:
            yield problems.spaces(part.span, value, excerpt(part.value.span) or "…")


def _variables(
    script: tree.Script, scan: Scan, names: Mapping[str, Binding], environment: frozenset[str]
) -> Iterator[Diagnostic]:
    reported: set[str] = set()
    for use in scan.uses:
        binding = names.get(use.name)
        if (
            use.name in reported
            or binding is None
            or use.name in environment
            or use.name in _KNOWN
            or use.name in scan.assigned
        ):
            continue
        span = position(script, use.offset, use.length)
        if span is not None:
            reported.add(use.name)
            noun = _NOUNS.get(binding.kind, binding.kind)
            yield problems.variable(span, use.name, binding.span, noun)


def _lone_cd(script: tree.Script, text: str) -> Iterator[Diagnostic]:
    command = text.strip()
    inserted = next((part for part in script.parts if isinstance(part, tree.Interpolation)), None)
    match = _CD.fullmatch(command)
    if match is None:
        return
    if inserted is not None:
        path = excerpt(inserted.value.span) if match[1] == "\0" else "…"
    else:
        path = f'"{match[1] or "/"}"'
    yield problems.lone_cd(_trimmed(script.span), path)


def _trimmed(span: Span) -> Span:
    """Return the span of a script's first non-blank line, trimmed."""
    for number in range(span.line, span.end_line + 1):
        start = span.column - 1 if number == span.line else 0
        text = span.source.line(number)[start:]
        if text.strip():
            column = start + len(text) - len(text.lstrip()) + 1
            return Span(span.source, number, column, number, column + len(text.strip()))
    return span


def _value(expr: tree.Expr, checking: Checking) -> str | None:
    """Return the text of an expression if it is known, or the default if it is a param."""
    if not is_text(checking.types.get(expr, ERROR)):
        return None
    value = checking.constants.get(expr)
    binding = checking.bindings.get(expr)
    if value is None and binding is not None and isinstance(binding.node, tree.Param):
        default = binding.node.default
        value = checking.constants.get(default) if default is not None else None
    return value if isinstance(value, str) else None
