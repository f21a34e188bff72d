"""Copies of entries and trees that keep everything of a state: bytes, holes, modes, owners, attributes, times, and
hard links among the copied files."""

from __future__ import annotations

import errno
import os
import stat

from pybuild.runtime.snapshots.contents import attributes
from pybuild.runtime.snapshots.types import Content

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.snapshots.tree import LayeredTree

CHUNK = 1 << 20
_FICLONE = 0x40049409
# Errors of copy_file_range(2) and link(2) after which a plain copy does the same: other file systems, limits, and
# kernels or seccomp profiles without the call.
_NO_RANGE = frozenset({errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.ETXTBSY})
_NO_LINK = frozenset({errno.EMLINK, errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP})


def copy_tree(tree: LayeredTree, target: bytes, *, link: bool = False) -> None:
    """Copy the state of `tree` into the empty directory `target`, the root's metadata included.

    With `link` files are hard links into the layers, which must never be written to afterwards; a file that can't
    be linked is copied. Hard links within the tree are hard links in the copy."""
    copied: dict[tuple[int, int], bytes] = {}
    directories = [(tree.layers[0], os.lstat(tree.layers[0]), target)]
    for node in tree.walk(b""):
        there = target + b"/" + node.path
        if stat.S_ISDIR(node.stat.st_mode):
            os.mkdir(there, 0o700)
            directories.append((node.real, node.stat, there))
            continue
        inode = (node.stat.st_dev, node.stat.st_ino)
        earlier = copied.get(inode) if node.stat.st_nlink > 1 else None
        if earlier is not None and link_entry(earlier, there):
            continue
        if not link or not link_entry(node.real, there):
            copy_entry(node.real, node.stat, there)
            if node.stat.st_nlink > 1:
                copied[inode] = there
    # Children first and after all content: writing into a directory changes its times.
    for real, status, there in reversed(directories):
        copy_metadata(real, status, there)


def copy_entry(real: bytes, status: os.stat_result, target: bytes) -> None:
    """Copy entry `real`, whose lstat is `status`, to the absent path `target`, metadata included; a directory
    without its content."""
    mode = status.st_mode
    if stat.S_ISREG(mode):
        _copy_file(real, status, target)
    elif stat.S_ISDIR(mode):
        os.mkdir(target, 0o700)
    elif stat.S_ISLNK(mode):
        os.symlink(os.readlink(real), target)
    else:
        os.mknod(target, mode, status.st_rdev)
    copy_metadata(real, status, target)


def copy_metadata(real: bytes, status: os.stat_result, target: bytes) -> None:
    """Give `target` the owner, mode, content attributes and times of `real`, whose lstat is `status`. Content
    attributes that `real` lacks are removed."""
    # Owner before mode and attributes: chown clears set-id bits and file capabilities.
    there = os.lstat(target)
    if (there.st_uid, there.st_gid) != (status.st_uid, status.st_gid):
        os.chown(target, status.st_uid, status.st_gid, follow_symlinks=False)
    if not stat.S_ISLNK(status.st_mode):
        os.chmod(target, stat.S_IMODE(status.st_mode))
    wanted = dict(attributes(real))
    for name, value in attributes(target):
        if wanted.get(name) == value:
            del wanted[name]
        elif name not in wanted:
            os.removexattr(target, name, follow_symlinks=False)
    for name, value in wanted.items():
        os.setxattr(target, name, value, follow_symlinks=False)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)


def link_entry(real: bytes, target: bytes) -> bool:
    """Make `target` a hard link to `real`; returns false where the file system allows none."""
    try:
        os.link(real, target, follow_symlinks=False)
    except OSError as failure:
        if failure.errno not in _NO_LINK:
            raise
        return False
    return True


def _copy_file(real: bytes, status: os.stat_result, target: bytes) -> None:
    source = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        sink = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            if status.st_size:
                copy_data(Content(source), sink, status.st_size)
        finally:
            os.close(sink)
    finally:
        os.close(source)


def _clone(source: int, sink: int) -> bool:
    """Share the data of `source` with `sink` where the file system can (FICLONE: btrfs, xfs). Returns false if it
    can't."""
    import fcntl

    try:
        fcntl.ioctl(sink, _FICLONE, source)
    except OSError:
        return False
    return True


def copy_data(content: Content, sink: int, size: int) -> None:
    """Append the `size` bytes of a content to the file `sink`, whose offset is at its end: shared where the file
    system can, else copied by the kernel. Holes stay holes: a sparse file may claim far more than the disk has."""
    source, at = content.fd, content.offset
    base = os.lseek(sink, 0, os.SEEK_CUR)
    if not base and not at and os.fstat(source).st_size == size and _clone(source, sink):
        return
    os.ftruncate(sink, base + size)
    os.lseek(sink, base + size, os.SEEK_SET)
    end = at + size
    shift = base - at
    while at < end:
        try:
            start = os.lseek(source, at, os.SEEK_DATA)
        except OSError as failure:
            if failure.errno == errno.ENXIO:
                return  # nothing but a hole up to the end
            raise
        if start >= end:
            return
        at = min(os.lseek(source, start, os.SEEK_HOLE), end)
        _copy_range(source, sink, start, at, shift)


def _copy_range(source: int, sink: int, start: int, end: int, shift: int) -> None:
    """Copy bytes by copy_file_range(2), to where they are plus `shift`; the rest by reading and writing if the kernel
    can't or stops early."""
    while start < end:
        try:
            done = os.copy_file_range(source, sink, end - start, start, start + shift)
        except OSError as failure:
            if failure.errno not in _NO_RANGE:
                raise
            break
        if not done:
            break
        start += done
    while start < end:
        data = os.pread(source, min(CHUNK, end - start), start)
        if not data:
            return
        start += os.pwrite(sink, data, start + shift)
