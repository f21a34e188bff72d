"""Copies of a result's files: contents and attributes."""

from __future__ import annotations

import errno
import os

from pybuild.runtime.snapshots.contents import is_content_attribute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.snapshots.types import Node


def copy_file(node: Node, target: bytes) -> None:
    """Copy a regular file into the new file `target`, which only its owner may read; holes stay holes. Raises
    OSError."""
    source = os.open(node.real, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            size = node.stat.st_size
            if node.stat.st_blocks * 512 < size:
                _copy_segments(source, fd, size)
            else:
                _copy_range(source, fd, size)
        finally:
            os.close(fd)
    finally:
        os.close(source)


def copy_attributes(node: Node, target: bytes, *, capabilities: bool) -> None:
    """Copy `user.*` attributes, and file capabilities on request, as far as this user and the file system
    allow. Raises OSError."""
    try:
        names = os.listxattr(node.real, follow_symlinks=False)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return
        raise
    for name in names:
        if not is_content_attribute(name) or (name == "security.capability" and not capabilities):
            continue
        try:
            os.setxattr(target, name, os.getxattr(node.real, name, follow_symlinks=False))
        except OSError as error:
            if error.errno not in (errno.ENOTSUP, errno.EPERM):
                raise


def _copy_range(source: int, fd: int, left: int) -> None:
    while left:
        sent = os.sendfile(fd, source, None, min(left, 1 << 30))
        if not sent:
            raise OSError(errno.EIO, "the file ended early")
        left -= sent


def _copy_segments(source: int, fd: int, size: int) -> None:
    at = 0
    while at < size:
        try:
            at = os.lseek(source, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            break
        end = os.lseek(source, at, os.SEEK_HOLE)
        os.lseek(source, at, os.SEEK_SET)
        os.lseek(fd, at, os.SEEK_SET)
        _copy_range(source, fd, end - at)
        at = end
    os.ftruncate(fd, size)
