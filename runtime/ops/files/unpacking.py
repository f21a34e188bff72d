"""Unpacks source files of ADD that are tar archives, compressed or not, into the destination."""

from __future__ import annotations

import os
import stat
from contextlib import nullcontext

from pybuild.runtime.image.decompression import ArchiveError, pull_decompressed
from pybuild.runtime.image.tarreader import TarReader
from pybuild.runtime.image.unarchive import unarchive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.ops.files.writer import Owner, Writer
    from pybuild.runtime.snapshots.types import Active, Node


def unpack(
    node: Node, dest: bytes, writer: Writer, active: Active, owner: Owner | None, timestamp: int | None
) -> bool:
    """Unpack a file into the directory `dest`, created if missing; return False if the file is no archive.

    Entries keep their owners unless `owner` is given. Raises ArchiveError and ExtractError for an archive that
    turns out damaged further on.
    """
    if not stat.S_ISREG(node.stat.st_mode) or not is_archive(node):
        return False
    path = writer.make_parents(dest, owner, timestamp)
    writer.enter(path)
    writer.finish()
    name = os.fsdecode(node.path)
    # Without a parent no directory needs overlay's marks, so the entries can be written without a mount.
    place = nullcontext(active.upper) if active.parent is None else active.mount()
    with place as root, open(node.real, "rb", buffering=0) as file:
        unarchive(pull_decompressed(file, name=name), root + b"/" + path, archive=name, owner=owner)
    writer.reset()
    return True


def is_archive(node: Node) -> bool:
    """Report whether the file's first bytes, decompressed, are a tar header."""
    with open(node.real, "rb", buffering=0) as file:
        try:
            pull = pull_decompressed(file)
            return next(iter(TarReader(pull, "archive")), None) is not None
        except ArchiveError:
            return False
