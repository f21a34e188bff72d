"""Bytes of files in the store, copied by the kernel where it can."""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.snapshots.types import Node

CHUNK = 1 << 20
_NO_RANGE = frozenset({errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.ETXTBSY})


def copy_bytes(node: Node, target: int) -> None:
    """Copy a file's bytes to the empty file `target`. Holes stay holes."""
    fd = os.open(node.real, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        size = node.stat.st_size
        if size <= CHUNK:
            write_all(target, os.read(fd, size))
        elif size > node.stat.st_blocks * 512:
            _copy_sparse(fd, target, size)
        else:
            _copy_range(fd, target, size)
    finally:
        os.close(fd)


def write_all(fd: int, data: bytes) -> None:
    done = os.write(fd, data)
    if done < len(data):
        view = memoryview(data)[done:]
        while view:
            view = view[os.write(fd, view) :]


def _copy_sparse(fd: int, target: int, size: int) -> None:
    os.ftruncate(target, size)
    offset = 0
    while offset < size:
        try:
            start = os.lseek(fd, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return  # nothing but a hole up to the end
            raise
        offset = os.lseek(fd, start, os.SEEK_HOLE)
        os.lseek(target, start, os.SEEK_SET)
        os.lseek(fd, start, os.SEEK_SET)
        _copy_range(fd, target, offset - start)


def _copy_range(fd: int, target: int, left: int) -> None:
    while left > 0:
        try:
            done = os.copy_file_range(fd, target, min(left, 1 << 30))
        except OSError as error:
            if error.errno not in _NO_RANGE:
                raise
            break
        if done == 0:
            break
        left -= done
    while left > 0 and (data := os.read(fd, min(CHUNK, left))):
        write_all(target, data)
        left -= len(data)
