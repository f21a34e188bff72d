"""Finds the newest file in an archive, whose time stands for the archive's."""

from __future__ import annotations

from pybuild.lang.diagnostics import Cancelled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.image.decompression import Readable
    from pybuild.runtime.solver.types import Cancellation


def newest_file(file: Readable, cancellation: Cancellation) -> int | None:
    """Return the latest modification time of the files and hard links in a tar archive, compressed or not, as Unix
    time. None for an archive without files, a damaged one, and any other file. Raises Cancelled."""
    import tarfile

    from pybuild.runtime.image.decompression import ArchiveError, open_decompressed

    newest: int | None = None
    try:
        stream = open_decompressed(file)
        with tarfile.open(fileobj=stream, mode="r|") as archive:  # type: ignore[call-overload]
            for member in archive:
                if cancellation():
                    raise Cancelled
                if member.isreg() or member.islnk():
                    seconds = int(member.mtime // 1)
                    newest = seconds if newest is None else max(newest, seconds)
                archive.members = []  # tarfile would keep every member in memory
    except (ArchiveError, tarfile.TarError, ValueError, OverflowError):
        return None
    return newest
