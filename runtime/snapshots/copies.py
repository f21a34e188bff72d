"""Copies of entries and trees with all that belongs to a state: bytes, holes, modes, owners, attributes,
times, and links among themselves."""

from __future__ import annotations

import errno
import os
import stat

from pybuild.runtime.snapshots.contents import attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.snapshots.tree import LayeredTree

CHUNK = 1 << 20
_FICLONE = 0x40049409
_NO_RANGE = frozenset({errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.ETXTBSY})
_NO_LINK = frozenset({errno.EMLINK, errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP})


def copy_tree(tree: LayeredTree, target: bytes, *, link: bool = False) -> None:
    """Make the state of `tree` in the empty directory `target`, root metadata included.

    With `link` files are hard links to the ones in the layers, which nobody may write any more, and copies
    where a link can't be had. Names linked in the tree are linked in the copy."""
    made: dict[tuple[int, int], bytes] = {}
    directories = [(tree.layers[0], os.lstat(tree.layers[0]), target)]
    for node in tree.walk(b""):
        there = target + b"/" + node.path
        if stat.S_ISDIR(node.stat.st_mode):
            os.mkdir(there, 0o700)
            directories.append((node.real, node.stat, there))
            continue
        inode = (node.stat.st_dev, node.stat.st_ino)
        earlier = made.get(inode) if node.stat.st_nlink > 1 else None
        if earlier is not None and link_entry(earlier, there):
            continue
        if not link or not link_entry(node.real, there):
            copy_entry(node.real, node.stat, there)
            if node.stat.st_nlink > 1:
                made[inode] = there
    for real, found, there in reversed(directories):
        copy_metadata(real, found, there)


def copy_entry(real: bytes, found: os.stat_result, target: bytes) -> None:
    """Make `target`, which is absent, what `real` is (an empty directory for a directory), metadata
    included."""
    mode = found.st_mode
    if stat.S_ISREG(mode):
        _copy_file(real, found, target)
    elif stat.S_ISDIR(mode):
        os.mkdir(target, 0o700)
    elif stat.S_ISLNK(mode):
        os.symlink(os.readlink(real), target)
    else:
        os.mknod(target, mode, found.st_rdev)
    copy_metadata(real, found, target)


def copy_metadata(real: bytes, found: os.stat_result, target: bytes) -> None:
    """Give `target` the owner, mode, content attributes and times of `real`, whose lstat is `found`;
    attributes that `real` lacks are taken off."""
    # Owner before mode and attributes: chown clears set-id bits and file capabilities.
    there = os.lstat(target)
    if (there.st_uid, there.st_gid) != (found.st_uid, found.st_gid):
        os.chown(target, found.st_uid, found.st_gid, follow_symlinks=False)
    if not stat.S_ISLNK(found.st_mode):
        os.chmod(target, stat.S_IMODE(found.st_mode))
    wanted = dict(attributes(real))
    for name, value in attributes(target):
        if wanted.get(name) == value:
            del wanted[name]
        elif name not in wanted:
            os.removexattr(target, name, follow_symlinks=False)
    for name, value in wanted.items():
        os.setxattr(target, name, value, follow_symlinks=False)
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns), follow_symlinks=False)


def link_entry(real: bytes, target: bytes) -> bool:
    try:
        os.link(real, target, follow_symlinks=False)
    except OSError as failure:
        if failure.errno not in _NO_LINK:
            raise
        return False
    return True


def _copy_file(real: bytes, found: os.stat_result, target: bytes) -> None:
    source = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        sink = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            if found.st_size:
                copy_data(source, sink, found.st_size)
        finally:
            os.close(sink)
    finally:
        os.close(source)


def _cloned(source: int, sink: int) -> bool:
    import fcntl

    try:
        fcntl.ioctl(sink, _FICLONE, source)
    except OSError:
        return False
    return True


def copy_data(source: int, sink: int, size: int) -> None:
    """The data of a file into the empty file `sink`: shared where the file system can, else copied by the kernel.
    Holes stay holes: a sparse file may claim far more than the disk has."""
    if _cloned(source, sink):
        return
    os.ftruncate(sink, size)
    at = 0
    while at < size:
        try:
            start = os.lseek(source, at, os.SEEK_DATA)
        except OSError as failure:
            if failure.errno == errno.ENXIO:
                return  # nothing but a hole up to the end
            raise
        at = os.lseek(source, start, os.SEEK_HOLE)
        _copy_range(source, sink, start, at)


def _copy_range(source: int, sink: int, start: int, end: int) -> None:
    while start < end:
        try:
            done = os.copy_file_range(source, sink, end - start, start, start)
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
        start += os.pwrite(sink, data, start)
