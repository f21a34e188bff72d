"""`type=docker`: an archive that `docker load` reads, or (without `dest`) a load into the running daemon.

The archive is an OCI layout with Docker's `manifest.json` beside the index, as Docker itself saves images.
"""

from __future__ import annotations

from pybuild.lang.diagnostics import UserError
from pybuild.runtime.export.build import Build, metadata, texts
from pybuild.runtime.export.layout import (
    LAYOUT_FILE,
    described,
    docker_manifest,
    index_entries,
    index_json,
    write_tar,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.export.output import Output
    from pybuild.runtime.progress.observer import Tracked


class SeveralPlatforms(UserError):
    """A Docker archive holds one platform."""

    def __init__(self, count: int) -> None:
        super().__init__(
            f"type=docker can't hold an image for {count} platforms",
            help="build one platform, or use type=oci or type=image,push=true",
        )


def export(output: Output, build: Build, tracked: Tracked) -> dict[str, object]:
    """Write the archive or load it, and return its metadata. Raises SeveralPlatforms, ExportError,
    DaemonError."""
    if len(build.results) != 1:
        raise SeveralPlatforms(len(build.results))
    image = build.image(output, tracked)
    names = build.names(output)
    found = metadata(image, names, described(image))
    entries = index_entries(image, names)
    files = {"manifest.json": docker_manifest(image, names)}
    if not output.flag("tar", True):
        output.receiver.layout(build, image, entries, files)
        return found
    files |= {"index.json": index_json(entries), "oci-layout": LAYOUT_FILE}
    if output.placed:
        output.receiver.archive(lambda file: write_tar(file, build.store, image.blobs, files), texts(found))
        tracked.progress("sending tarball", 0, 0, done=True)
    else:
        from pybuild.runtime.export.daemon import load

        load(lambda file: write_tar(file, build.store, image.blobs, files), cancelled=build.cancelled)
        tracked.progress("importing to docker", 0, 0, done=True)
    return found
