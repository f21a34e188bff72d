"""Comments with a meaning: the header, docs, and allowed lints (language spec, sections 4 and 16)."""

from __future__ import annotations

import re

from pybuild.lang.source import Source, Span
from pybuild.lang.textual import tree
from pybuild.lang.textual.problems import syntax

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Final

    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.textual.modules import Program

EDITION: Final = 1
LEVEL: Final = 0
"""The highest level of the edition that this version reads, as in `pybuild:EDITION.LEVEL`; all lower ones are read
too."""

_HEADER: Final = re.compile(r"#[ \t]*syntax[ \t]*=[ \t]*(\S+)", re.IGNORECASE)
_REFERENCE: Final = re.compile(r"pybuild:([0-9]{1,6})(?:\.([0-9]{1,6}))?\Z")
_ALLOW: Final = re.compile(r"#[ \t]*pybuild:[ \t]*allow[ \t]+(.*)")
_CODE: Final = re.compile(r"\bW[0-9]{4}\b")


def header(
    source: Source, comments: Sequence[tree.Comment]
) -> tuple[tree.Header | None, tuple[tree.Comment, ...], list[Diagnostic]]:
    """Return the `# syntax=` line, the comments without it, and the mistakes in it."""
    first = source.line(1)
    match = _HEADER.match(first)
    if match is None:
        allowed = "W0802" in _CODE.findall(first) and _ALLOW.match(first)
        missing = [] if allowed else [syntax.no_header(Span(source, 1, 1, 1, 1))]
        return None, tuple(comments), missing
    span = Span(source, 1, match.start(1) + 1, 1, match.end(1) + 1)
    reference = match[1]
    version = _REFERENCE.match(reference)
    problems = []
    if version is None or int(version[1]) == 0:
        problems.append(syntax.unknown_frontend(span, reference))
    elif (int(version[1]), int(version[2] or 0)) > (EDITION, LEVEL):
        problems.append(syntax.newer_edition(span, reference, f"pybuild:{EDITION}.{LEVEL}"))
    edition = int(version[1]) if version else EDITION
    return tree.Header(span, reference, edition), tuple(comments[1:]), problems


def is_header(text: str) -> bool:
    """Tell whether a comment would be the header if it were the first line."""
    return _HEADER.match(text) is not None


def silenced(text: str) -> frozenset[str] | None:
    """Return the lints that an `allow` comment silences, None for any other comment."""
    match = _ALLOW.match(text)
    return frozenset(_CODE.findall(match[1])) if match else None


def docs(comments: Sequence[tree.Comment]) -> dict[int, str]:
    """Return the docs of declarations by their first line: the comment lines directly above it, except `allow`
    comments."""
    out: dict[int, str] = {}
    block: list[str] = []
    before = 0
    for comment in comments:
        if not comment.own_line or comment.span.column != 1:
            continue
        line = comment.span.line
        if line == 1 and _HEADER.match(comment.text):
            continue
        if line != before + 1:
            block = []
        out.pop(line, None)
        before = line
        if not _ALLOW.match(comment.text):
            block.append(comment.text[1:].removeprefix(" ").rstrip())
        out[line + 1] = block  # type: ignore[assignment]
    return {line: "\n".join(block).strip("\n") for line, block in out.items()}


def allowed(file: tree.File) -> Mapping[int, frozenset[str]]:
    """Return the lints that a `# pybuild: allow CODE` comment silences, by the line below the comment."""
    out = {}
    for comment in file.comments:
        match = _ALLOW.match(comment.text)
        if match:
            out[comment.span.line + 1] = frozenset(_CODE.findall(match[1]))
    return out


def is_allowed(warning: Diagnostic, program: Program) -> bool:
    """Tell whether the line above a warning silences it, for warnings about one of the program's files."""
    span = warning.span
    if span is None:
        return False
    files = [module.file for module in program.modules.values() if module.file.source is span.source]
    return any(warning.code in allowed(file).get(span.line, ()) for file in files)
