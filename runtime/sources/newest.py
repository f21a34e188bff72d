"""The time of an archive: that of the newest file in it."""

from __future__ import annotations

from pybuild.lang.diagnostics import Cancelled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from pybuild.runtime.solver.types import Cancellation


def newest_file(file: BinaryIO, cancellation: Cancellation) -> int | None:
    """The latest modification time of the files, hard links among them, in a tar archive, perhaps compressed; in
    whole seconds since 1970. None for an archive without files, a damaged one, and what is no archive. Raises
    Cancelled."""
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
                archive.members = []  # or it would keep them all
    except (ArchiveError, tarfile.TarError, ValueError, OverflowError):
        return None
    return newest
