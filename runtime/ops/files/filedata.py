"""Copies the bytes of files in the store, within the kernel where it can."""

from __future__ import annotations

import os

from pybuild.runtime.snapshots.copies import copy_data

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.snapshots.types import Node

CHUNK = 1 << 20


def copy_bytes(node: Node, target: int) -> None:
    """Append a file's bytes to the file of descriptor `target`, whose offset is at its end. Holes of files above
    CHUNK stay holes."""
    with node.content() as content:
        size = node.stat.st_size
        if size <= CHUNK:
            write_all(target, content.read(size))
        else:
            copy_data(content, target, size)


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data`; one `write` may take only a part."""
    done = os.write(fd, data)
    if done < len(data):
        view = memoryview(data)[done:]
        while view:
            view = view[os.write(fd, view) :]
