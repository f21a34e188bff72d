"""The answers to `--call` and to clients' subrequests, as text for people and as JSON for programs.

Field names, tables and frames are those of `docker buildx build --call`: BuildKit's `frontend/subrequests` and
`solver/errdefs`. Control characters in an answer are escaped: it can't take over a terminal.
"""

from __future__ import annotations

import json
from base64 import b64encode

from pybuild.lang.dockerfile.lint.rules import DOCUMENTATION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from pybuild.compiler.lower.dockerfile.outline import Outline
    from pybuild.compiler.lower.dockerfile.targets import Targets
    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.dockerfile.lint.linter import Finding
    from pybuild.lang.source import Source, Span

LANGUAGE = "Dockerfile"
_GO_ESCAPES = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"})
_RULE = "-" * 20

CALLS = (
    ("outline", "List all parameters current build target supports", ("target", "Target build stage")),
    ("targets", "List all targets current build supports", None),
    ("subrequests.describe", "List available subrequest types", None),
)
VERSION = "1.0.0"


def json_text(value: object) -> str:
    """Return JSON as Go writes it: indented by two spaces, without characters that mean something in HTML."""
    return json.dumps(value, indent=2, ensure_ascii=False).translate(_GO_ESCAPES)


def outline_json(outline: Outline) -> str:
    def used(name: str, key: str = "name") -> list[dict[str, Any]]:
        return [
            _some({key: use.id, "required": use.required and key == "name", "location": _located(use.span)})
            for use in getattr(outline, name)
        ]

    args = [
        {"name": arg.name, **_some({"description": arg.comment, "value": arg.value}), **_location(arg.span)}
        for arg in outline.args
    ]
    kinds = {"args": args, "secrets": used("secrets"), "ssh": used("agents"), "cache": used("caches", "ID")}
    named = {"name": outline.name, "description": outline.description}
    return json_text(_some({**named, **kinds, "sources": [_data(outline.source)]}))


def outline_text(outline: Outline) -> str:
    parts = []
    if outline.name or outline.description:
        rows = [("TARGET:", outline.name or "(default)")]
        rows += [("DESCRIPTION:", outline.description)] if outline.description else []
        parts.append(_table(rows, gap=1))
    if outline.args:
        rows3 = [(arg.name, arg.value or "", arg.comment) for arg in outline.args]
        parts.append(_table([("BUILD ARG", "VALUE", "DESCRIPTION"), *rows3], gap=3))
    for title, uses in (("SECRET", outline.secrets), ("SSH", outline.agents)):
        if uses:
            rows = [(use.id, "true" if use.required else "") for use in uses]
            parts.append(_table([(title, "REQUIRED"), *rows], gap=3))
    if outline.caches:
        parts.append(_table([("CACHE",), *((cache.id,) for cache in outline.caches)], gap=3))
    return "".join(part + "\n" for part in parts)


def targets_json(targets: Targets) -> str:
    listed = [
        _some(
            {
                "name": target.name,
                "default": target.default,
                "description": target.description,
                "base": target.base,
                "platform": target.platform,
                "location": _located(target.span),
            }
        )
        for target in targets.targets
    ]
    return json_text({"targets": listed, "sources": [_data(targets.source)]})


def targets_text(targets: Targets) -> str:
    rows = [("TARGET", "DESCRIPTION")]
    for target in targets.targets:
        default = "(default)" if target.default else ""
        rows.append((f"{target.name} {default}".strip(), target.description))
    return _table(rows, gap=1)


def calls_json() -> str:
    def described(name: str, text: str, option: tuple[str, str] | None) -> dict[str, Any]:
        opts = [{"name": option[0], "description": option[1]}] if option is not None else []
        metadata = [{"name": "result.json"}, {"name": "result.txt"}]
        head = {"name": f"frontend.{name}", "version": VERSION, "type": "rpc", "description": text}
        return {**head, **_some({"opts": opts, "metadata": metadata})}

    return json_text([described(*call) for call in CALLS])


def calls_text() -> str:
    rows = [(name, VERSION, text) for name, text, _ in CALLS]
    return _table([("NAME", "VERSION", "DESCRIPTION"), *rows], gap=1)


def check_json(
    sources: Sequence[Source],
    findings: Iterable[Finding],
    error: Diagnostic | None,
    *,
    pages: str = DOCUMENTATION,
) -> str:
    """Return the findings of `check` in `sources`. `error` is the error of a build; `pages` is the address of
    the rules' documentation."""
    warnings = [
        _some(
            {
                "ruleName": finding.rule.name,
                "description": finding.description,
                "url": finding.rule.page(pages),
                "detail": finding.message,
                "location": _located(finding.span, _index(sources, finding.span.source)),
            }
        )
        for finding in findings
    ]
    files = [
        {"filename": base_name(source), "data": _data(source), "language": LANGUAGE} for source in sources
    ]
    value: dict[str, object] = {"warnings": warnings, "sources": files}
    if error is not None:
        span = next((label.span for label in error.labels if label.primary), None)
        at = _index(sources, span.source) if span is not None else 0
        value["buildError"] = {"message": error.title, "location": _located(span, at) or {}}
    return json_text(value)


def check_text(findings: Sequence[Finding]) -> str:
    """Return the number of findings and the findings; "" for none."""
    if not findings:
        return ""
    many = len(findings) > 1
    head = f"Check complete, {len(findings)} warning{'s have' if many else ' has'} been found!\n"
    return head + findings_text(findings)


def findings_text(findings: Iterable[Finding], *, pages: str = DOCUMENTATION) -> str:
    """Return the findings with their frames, by file and line."""
    out = []
    for finding in sorted(findings, key=lambda finding: (base_name(finding.span.source), finding.span.line)):
        out.append(f"\nWARNING: {finding.rule.name} - {finding.rule.page(pages)}\n{finding.message}\n")
        out.append(_frame(finding.span))
    return _shown("".join(out))


def base_name(source: Source) -> str:
    """Return the file's name as BuildKit shows it: without the directory."""
    return source.name.rpartition("/")[2]


def _frame(span: Span) -> str:
    """Return the lines of `span`, marked, with as many around them as BuildKit shows: two above and below a
    single line."""
    lines = span.source.text.split("\n")
    first = min(span.line, len(lines))
    last = min(_last_line(span), len(lines))
    start, end, wanted = first, last, 4 if first == last else 2
    shown = 0
    while shown < wanted:
        if start > 1:
            start, shown = start - 1, shown + 1
        if end < len(lines):
            end, shown = end + 1, shown + 1
        shown += 1
    out = [f"{base_name(span.source)}:{first}", _RULE]
    for number in range(start, end + 1):
        mark = ">>>" if first <= number <= last else "   "
        out.append(f" {number:3} | {mark} {lines[number - 1].removesuffix(chr(13))}")
    return "\n".join([*out, _RULE, ""])


def _last_line(span: Span) -> int:
    whole = span.end_line > span.line and span.end_column <= 1
    return span.end_line - 1 if whole else span.end_line


def _located(span: Span | None, index: int = 0) -> dict[str, Any] | None:
    """Return a `pb.Location`: a range for each line, without characters."""
    if span is None:
        return None
    ranges = [
        {"start": {"line": number}, "end": {"line": number}}
        for number in range(span.line, _last_line(span) + 1)
    ]
    return {**({"sourceIndex": index} if index else {}), "ranges": ranges}


def _location(span: Span | None) -> dict[str, Any]:
    location = _located(span)
    return {"location": location} if location is not None else {}


def _index(sources: Sequence[Source], source: Source) -> int:
    return next((index for index, entry in enumerate(sources) if entry is source), 0)


def _data(source: Source) -> str:
    return b64encode(source.text.encode("utf-8", "surrogateescape")).decode()


def _some(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that aren't empty."""
    return {name: value for name, value in fields.items() if value}


def _table(rows: Sequence[tuple[str, ...]], *, gap: int) -> str:
    """Return columns as wide as their widest cell and `gap` spaces; the last one isn't padded."""
    cells = [[_cell(text) for text in row] for row in rows]
    widths = [max(map(len, column)) + gap for column in list(zip(*cells, strict=True))[:-1]]
    lines = (
        "".join(text.ljust(width) for text, width in zip(row, widths, strict=False)) + row[-1]
        for row in cells
    )
    return "".join(line + "\n" for line in lines)


def _cell(text: str) -> str:
    """Return a text on one line, with control characters as escapes."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def _shown(text: str) -> str:
    from pybuild.runtime.progress.terminal import printable

    return printable(text)
