"""`type=tar`: the files of the result as one tar archive."""

from __future__ import annotations

from pybuild.lang.diagnostics import Cancelled
from pybuild.runtime.export.build import Build
from pybuild.runtime.export.destination import OutputFile
from pybuild.runtime.export.local import subdirectories
from pybuild.runtime.image.tarwriter import LayerWriter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.export.output import Output
    from pybuild.runtime.progress.observer import Tracked


def export(output: Output, build: Build, tracked: Tracked) -> dict[str, object]:
    """Write the archive, owners included; with SOURCE_DATE_EPOCH every time is that time. Raises
    ExportError."""
    epoch = output.epoch(build.epoch)
    with OutputFile(output.dest) as file:

        def sink(data: bytes) -> None:
            if build.cancelled is not None and build.cancelled():
                raise Cancelled
            file.write(data)

        writer = LayerWriter(sink, clamp=epoch, fixed=epoch is not None)
        for prefix, result in subdirectories(output, build):
            if prefix:
                writer.directory(prefix, mtime=epoch or 0)
            for node in build.snapshotter.tree(result.snapshot).walk(b""):
                path = prefix + b"/" + node.path if prefix else node.path
                writer.add(path, node.real, node.stat)
        writer.finish()
    tracked.progress("sending tarball", 0, 0, done=True)
    return {}
