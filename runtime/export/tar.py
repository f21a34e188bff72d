"""`type=tar`: the files of the result in one tar archive."""

from __future__ import annotations

from pybuild.lang.diagnostics import Cancelled
from pybuild.runtime.export.build import Build
from pybuild.runtime.export.parts import parts
from pybuild.runtime.image.tarwriter import LayerWriter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.runtime.export.layout import Sink
    from pybuild.runtime.export.output import Output
    from pybuild.runtime.export.receiver import Part
    from pybuild.runtime.progress.observer import Tracked


def export(output: Output, build: Build, tracked: Tracked) -> dict[str, object]:
    """Write the archive, owners included; with SOURCE_DATE_EPOCH every time is that time. Raises
    ExportError."""
    found = parts(output, build)
    output.receiver.archive(lambda file: _write(file, found, build), {})
    tracked.progress("sending tarball", 0, 0, done=True)
    return {}


def _write(file: Sink, parts: Sequence[Part], build: Build) -> None:
    def sink(data: bytes) -> None:
        if build.cancelled is not None and build.cancelled():
            raise Cancelled
        file.write(data)

    for part in parts:
        writer = LayerWriter(sink, clamp=part.time, fixed=part.time is not None)
        if part.prefix:
            writer.directory(part.prefix, mtime=part.time or 0)
        for node in part.tree.walk(b""):
            writer.add(_below(part.prefix, node.path), node)
        for name, data in part.files.items():
            writer.file(_below(part.prefix, name), data, mtime=part.now)
        if part is parts[-1]:
            writer.finish()
        else:
            writer.flush()


def _below(prefix: bytes, path: bytes) -> bytes:
    return prefix + b"/" + path if prefix else path
