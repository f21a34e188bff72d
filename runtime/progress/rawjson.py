"""BuildKit's SolveStatus records as JSON, one object a line: what `docker buildx --progress=rawjson` writes.

Members are those of `client.Vertex`, `VertexStatus`, `VertexLog` and `VertexWarning`; empty ones are left out.
Times are RFC 3339 in UTC, bytes are base64. A record is written for each event, so `vertexes`, `statuses`,
`logs` and `warnings` each hold one entry.
"""

from __future__ import annotations

import json
from binascii import b2a_base64
from time import gmtime, strftime, time

from pybuild.runtime.progress.display import Display

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.runtime.progress.observer import StatusEvent, VertexEvent

SEVERITY = 1
"""The `level` of a warning, as in BuildKit's own lint rules."""


class RawJson(Display):
    """A display that writes each event as it comes."""

    def vertex(self, event: VertexEvent) -> None:
        entry: dict[str, object] = {"digest": event.digest}
        if event.inputs:
            entry["inputs"] = event.inputs
        if event.name:
            entry["name"] = event.name
        _put_time(entry, "started", event.started)
        _put_time(entry, "completed", event.completed)
        if event.cached:
            entry["cached"] = True
        if event.error:
            entry["error"] = event.error
        if event.group:
            entry["progressGroup"] = {"id": event.group}
        self._record("vertexes", entry)

    def status(self, event: StatusEvent) -> None:
        entry: dict[str, object] = {"id": event.id, "vertex": event.vertex}
        if event.total:
            entry["total"] = event.total
        entry["current"] = event.current
        entry["timestamp"] = time_text(event.timestamp or time())
        _put_time(entry, "started", event.started)
        _put_time(entry, "completed", event.completed)
        self._record("statuses", entry)

    def log(self, vertex: str, stream: int, data: bytes) -> None:
        entry = {
            "vertex": vertex,
            "stream": stream,
            "data": _base64(data),
            "timestamp": time_text(time()),
        }
        self._record("logs", entry)

    def warning(self, vertex: str, diagnostic: Diagnostic) -> None:
        known = len(self.warnings)
        super().warning(vertex, diagnostic)
        if len(self.warnings) == known:
            return
        short = diagnostic.title
        if diagnostic.code:
            place = f" (line {diagnostic.labels[0].span.line})" if diagnostic.labels else ""
            short = f"{diagnostic.code}: {short}{place}"
        entry: dict[str, object] = {"vertex": vertex, "level": SEVERITY, "short": _base64(_bytes(short))}
        if diagnostic.url:
            entry["url"] = diagnostic.url
        if diagnostic.notes:
            entry["detail"] = [_base64(_bytes(text)) for _, text in diagnostic.notes]
        if diagnostic.labels:
            source = diagnostic.labels[0].span.source
            entry["sourceInfo"] = {"filename": source.name, "data": _base64(_bytes(source.text))}
            entry["range"] = [
                {
                    "start": {"line": label.span.line, "character": label.span.column - 1},
                    "end": {"line": label.span.end_line, "character": label.span.end_column - 1},
                }
                for label in diagnostic.labels
                if label.span.source is source
            ]
        self._record("warnings", entry)

    def _record(self, kind: str, entry: dict[str, object]) -> None:
        text = _printed(json.dumps({kind: [entry]}, separators=(",", ":"), ensure_ascii=False)) + "\n"
        with self._lock:
            self._write(text)


def time_text(seconds: float) -> str:
    """Return a time in RFC 3339, in UTC, without trailing zeros of the fraction, as Go writes it."""
    micros = round(seconds * 1_000_000)
    text = strftime("%Y-%m-%dT%H:%M:%S", gmtime(micros // 1_000_000))
    fraction = f"{micros % 1_000_000:06}".rstrip("0")
    return f"{text}.{fraction}Z" if fraction else f"{text}Z"


def _printed(text: str) -> str:
    """Return JSON with escapes for what a terminal obeys, which JSON allows in strings."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)


def _put_time(entry: dict[str, object], name: str, seconds: float | None) -> None:
    if seconds is not None:
        entry[name] = time_text(seconds)


def _bytes(text: str) -> bytes:
    """Return text as the bytes that it was read from, which need not be UTF-8."""
    return text.encode("utf-8", "surrogateescape")


def _base64(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode("ascii")
