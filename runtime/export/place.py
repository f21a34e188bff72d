"""Outputs on this machine: a file or a directory."""

from __future__ import annotations

from pybuild.runtime.export.receiver import Receiver

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pybuild.runtime.export.build import Build
    from pybuild.runtime.export.layout import Sink
    from pybuild.runtime.export.receiver import Part
    from pybuild.runtime.image.assemble import Image
    from pybuild.runtime.progress.observer import Tracked


class Place(Receiver):
    """A path, or `-` for standard output."""

    __slots__ = ("_dest",)

    def __init__(self, dest: str) -> None:
        self._dest = dest

    def archive(self, write: Callable[[Sink], None], facts: Mapping[str, str]) -> None:
        from pybuild.runtime.export.destination import OutputFile

        with OutputFile(self._dest) as file:
            write(file)

    def layout(
        self,
        build: Build,
        image: Image,
        entries: Sequence[dict[str, object]],
        files: Mapping[str, bytes],
    ) -> None:
        from pybuild.runtime.export.oci import write_directory

        write_directory(self._dest, build, image, entries, files)

    def files(self, parts: Sequence[Part], build: Build, tracked: Tracked) -> None:
        from pybuild.runtime.export.local import write

        write(self._dest, parts, build)
        tracked.progress("copying files", 0, 0, done=True)
