"""Copies of a result's files: contents and attributes."""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.snapshots.types import Content, Node


def copy_file(node: Node, target: bytes) -> None:
    """Copy a regular file into the new file `target`, which only its owner may read; holes stay holes. Raises
    OSError."""
    with node.content() as content:
        fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            size = node.stat.st_size
            if node.stat.st_blocks * 512 < size:
                _copy_segments(content, fd, size)
            else:
                _copy_range(content, fd, 0, size)
        finally:
            os.close(fd)


def copy_attributes(node: Node, target: bytes, *, capabilities: bool) -> None:
    """Copy `user.*` attributes, and file capabilities on request, as far as this user and the file system
    allow. Raises OSError."""
    for name, value in node.attributes():
        if name == "security.capability" and not capabilities:
            continue
        try:
            os.setxattr(target, name, value)
        except OSError as error:
            if error.errno not in (errno.ENOTSUP, errno.EPERM):
                raise


def _copy_range(content: Content, fd: int, start: int, end: int) -> None:
    while start < end:
        sent = os.sendfile(fd, content.fd, content.offset + start, min(end - start, 1 << 30))
        if not sent:
            raise OSError(errno.EIO, "the file ended early")
        start += sent


def _copy_segments(content: Content, fd: int, size: int) -> None:
    source, offset = content.fd, content.offset
    at = 0
    while at < size:
        try:
            at = os.lseek(source, offset + at, os.SEEK_DATA) - offset
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            break
        end = min(os.lseek(source, offset + at, os.SEEK_HOLE) - offset, size)
        if at >= end:
            break
        os.lseek(fd, at, os.SEEK_SET)
        _copy_range(content, fd, at, end)
        at = end
    os.ftruncate(fd, size)
