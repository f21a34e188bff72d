"""The command `pybuild verify`: it checks images in files by their bytes alone."""

from __future__ import annotations

import sys

from pybuild.build import errors
from pybuild.lang.diagnostics import Diagnostic, UsageError, visible
from pybuild.runtime.verify.archives import verify
from pybuild.runtime.verify.findings import Unreadable
from pybuild.runtime.verify.limits import Limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.runtime.verify.findings import Finding, Image, Report

FORMATS = ("text", "json")
SOUND, PROBLEMS, UNREADABLE = range(3)
"""Exit codes."""


def run_verify(paths: Sequence[str], *, format: str = "text", layer: int | None = None) -> int:
    """Verify the images at `paths`, print a line for each and its findings, and return the exit code. `layer`
    is the maximum size in bytes of an uncompressed layer. Raises UsageError without a path."""
    if not paths:
        raise UsageError("nothing to verify", help="give the directory of an OCI layout, or an image archive")
    limits = Limits() if layer is None else Limits(layer=layer)
    code = SOUND
    reports: list[tuple[str, Report]] = []
    for path in paths:
        try:
            report = verify(path, limits)
        except Unreadable as error:
            sys.stdout.flush()
            code = max(code, errors.report(error, sys.stderr))
            continue
        reports.append((path, report))
        code = max(code, PROBLEMS if report.count else SOUND)
        if format == "text":
            _print_text(path, report)
    if format == "json":
        _print_json(reports)
    return code


def _print_text(path: str, report: Report) -> None:
    for image in report.images:
        sys.stdout.write(visible(f"{'ok ' if image.sound else 'bad'} {_line(image)}") + "\n")
    sys.stdout.flush()
    colour = errors.coloured(sys.stderr)
    for finding in report.findings:
        sys.stderr.write(errors.message(_diagnostic(path, finding), colour=colour) + "\n")
    sys.stderr.flush()


def _line(image: Image) -> str:
    """Return `sha256:…  linux/amd64  7 layers, 12.3 MB`."""
    kind, noun = (image.artifact, "blob") if image.artifact else (image.platform or "unknown", "layer")
    layers = f"{image.layers} {noun}" + ("" if image.layers == 1 else "s")
    return f"{image.digest}  {kind}  {layers}, {_size(image.size)}"


def _size(count: int) -> str:
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        # 999.95 is the first value that would be written as 1000.0.
        if value < 999.95:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:.1f} TB"


def _diagnostic(path: str, finding: Finding) -> Diagnostic:
    notes = [("in", f"{path}: {finding.path}" if finding.path else path)]
    if finding.help:
        notes.append(("help", finding.help))
    return Diagnostic(finding.title, notes=notes, level="note" if finding.note else "error")


def _print_json(reports: Sequence[tuple[str, Report]]) -> None:
    import json

    value = [
        {
            "archive": path,
            "sound": not report.count,
            "images": [_image_json(image) for image in report.images],
            "findings": [_finding_json(finding) for finding in report.findings],
        }
        for path, report in reports
    ]
    # Only ASCII: names in an image may be no text, or text that a terminal obeys.
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def _image_json(image: Image) -> dict[str, object]:
    return {
        "digest": image.digest,
        "platform": image.platform or None,
        "artifactType": image.artifact or None,
        "layers": image.layers,
        "size": image.size,
        "sound": image.sound,
    }


def _finding_json(finding: Finding) -> dict[str, object]:
    return {
        "level": "note" if finding.note else "error",
        "where": finding.where,
        "path": finding.path,
        "what": finding.what,
        "help": finding.help or None,
    }
