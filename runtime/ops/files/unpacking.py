"""Unpacks source files of ADD that are tar archives, compressed or not, into the destination."""

from __future__ import annotations

import os
import stat

from pybuild.runtime.image.decompression import ArchiveError, pull_decompressed
from pybuild.runtime.image.tarreader import TarReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.ops.files.owners import Owner
    from pybuild.runtime.ops.files.writer import Writer
    from pybuild.runtime.snapshots.types import Node


def unpack(node: Node, dest: bytes, writer: Writer, owner: Owner | None, timestamp: int | None) -> bool:
    """Unpack a file into the directory `dest`, created if missing; return False if the file is no archive.

    Entries keep their owners unless `owner` is given. Raises ArchiveError and ExtractError for an archive that
    turns out damaged further on.
    """
    if not stat.S_ISREG(node.stat.st_mode) or not is_archive(node):
        return False
    path = writer.make_parents(dest, owner, timestamp)
    writer.enter(path)
    with node.content() as file:
        writer.unarchive(file, path, os.fsdecode(node.path), owner)
    return True


def is_archive(node: Node) -> bool:
    """Report whether the file's first bytes, decompressed, are a tar header."""
    with node.content() as file:
        try:
            pull = pull_decompressed(file)
            return next(iter(TarReader(pull, "archive")), None) is not None
        except ArchiveError:
            return False
