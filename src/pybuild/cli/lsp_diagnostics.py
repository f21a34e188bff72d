"""Diagnostics in the form of the Language Server Protocol: the output of `--format=json`.

Lines and characters count from 0, characters in UTF-16 code units (LSP 3.17, Position).
"""

from __future__ import annotations

import os
from urllib.parse import quote

from pybuild.cli.explain import address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from pybuild.lang.diagnostics import Diagnostic, Edit
    from pybuild.lang.source import Source, Span

_SEVERITY = {"error": 1, "warning": 2}


def publish_params(diagnostics: Iterable[Diagnostic], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return `PublishDiagnosticsParams` for each of the files `names`, in that order, and for other files of
    messages. A message without a place belongs to the first file, at its start."""
    by_file: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for entry in diagnostics:
        span = entry.span
        name = span.source.name if span is not None else names[0]
        by_file.setdefault(name, []).append(diagnostic(entry))
    return [{"uri": uri(name), "diagnostics": listed} for name, listed in by_file.items()]


def diagnostic(entry: Diagnostic) -> dict[str, Any]:
    """Return an LSP `Diagnostic`. `data` has the texts of help and the edits of its fix."""
    value: dict[str, Any] = {
        "range": range_of(entry.span),
        "severity": _SEVERITY.get(entry.level, 3),
        "source": "pybuild",
        "message": _message(entry),
    }
    if entry.code:
        value["code"] = entry.code
        value["codeDescription"] = {"href": address(entry.code)}
    related = [
        {
            "location": {"uri": uri(label.span.source.name), "range": range_of(label.span)},
            "message": label.text,
        }
        for label in entry.labels
        if label.span is not entry.span
    ]
    if related:
        value["relatedInformation"] = related
    data: dict[str, Any] = {}
    if helps := [text for word, text in entry.notes if word == "help"]:
        data["help"] = helps
    if entry.edits:
        data["edit"] = workspace_edit(entry.edits)
    if data:
        value["data"] = data
    return value


def _message(entry: Diagnostic) -> str:
    label = next((label.text for label in entry.labels if label.span is entry.span and label.text), "")
    return "\n".join(
        [
            f"{entry.title}: {label}" if label else entry.title,
            *(f"{word}: {text}" for word, text in entry.notes),
        ]
    )


def workspace_edit(edits: Iterable[Edit]) -> dict[str, Any]:
    """Return an LSP `WorkspaceEdit`."""
    changes: dict[str, list[dict[str, Any]]] = {}
    for edit in edits:
        changes.setdefault(uri(edit.span.source.name), []).append(
            {"range": range_of(edit.span), "newText": edit.text}
        )
    return {"changes": changes}


def range_of(span: Span | None) -> dict[str, Any]:
    if span is None:
        return {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}}
    return {
        "start": _position(span.source, span.line, span.column),
        "end": _position(span.source, span.end_line, span.end_column),
    }


def _position(source: Source, line: int, column: int) -> dict[str, int]:
    before = source.line(line)[: column - 1]
    return {"line": line - 1, "character": len(before.encode("utf-16-le", "surrogatepass")) // 2}


def uri(name: str) -> str:
    """Return a file's URI; a name that is no path of this machine stays as it is."""
    return name if "://" in name else "file://" + quote(os.path.abspath(name))
