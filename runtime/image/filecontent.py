"""Contents of files in archives, written into new files with holes for zeros."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.image.tarreader import Entry, TarReader

SPARSE_FROM = 1 << 20
"""Files of at least this many bytes get holes where a whole piece is zero."""

_ZEROS = bytes(1 << 20)


def write_content(entry: Entry, fd: int, reader: TarReader) -> None:
    """Write the data of `entry`, the current one of `reader`, to the empty file `fd`. Raises OSError,
    ArchiveError."""
    if entry.sparse is not None:
        _write_segments(entry, fd, reader)
        return
    holes = entry.size >= SPARSE_FROM
    while piece := reader.piece(len(_ZEROS)):
        if holes and piece == _ZEROS[: len(piece)]:
            os.lseek(fd, len(piece), os.SEEK_CUR)
        else:
            _write(fd, piece)
    if holes:
        os.ftruncate(fd, entry.size)


def _write_segments(entry: Entry, fd: int, reader: TarReader) -> None:
    assert entry.sparse is not None
    for offset, length in entry.sparse:
        os.lseek(fd, offset, os.SEEK_SET)
        while length:
            piece = reader.piece(min(length, len(_ZEROS)))
            _write(fd, piece)
            length -= len(piece)
    os.ftruncate(fd, entry.real_size)


def _write(fd: int, data: bytes | memoryview) -> None:
    written = os.write(fd, data)
    while written < len(data):
        data = memoryview(data)[written:]
        written = os.write(fd, data)
