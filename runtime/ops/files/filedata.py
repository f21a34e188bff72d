"""Copies the bytes of files in the store, within the kernel where it can."""

from __future__ import annotations

import os

from pybuild.runtime.snapshots.copies import copy_data

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.snapshots.types import Node

CHUNK = 1 << 20


def copy_bytes(node: Node, target: int) -> None:
    """Copy a file's bytes to the descriptor `target` of an empty file. Holes of files above CHUNK stay holes."""
    fd = os.open(node.real, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        size = node.stat.st_size
        if size <= CHUNK:
            write_all(target, os.read(fd, size))
        else:
            copy_data(fd, target, size)
    finally:
        os.close(fd)


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data`; one `write` may take only a part."""
    done = os.write(fd, data)
    if done < len(data):
        view = memoryview(data)[done:]
        while view:
            view = view[os.write(fd, view) :]
