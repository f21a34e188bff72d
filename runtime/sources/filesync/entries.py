"""Entries of a received tree: compares them with the disk, and creates or changes files accordingly.

Paths are joined from checked names, below directories that this transfer has seen or created, so no symlink is on the
way. A file is written under its final name and gets its time last: one that a broken transfer left half written has
another time than the client's, and is sent again.
"""

from __future__ import annotations

import errno
import os
import stat
from hashlib import sha256

from pybuild.runtime.session.filemodes import unix_mode
from pybuild.runtime.snapshots.contents import is_content_attribute
from pybuild.runtime.snapshots.removal import remove_tree
from pybuild.runtime.sources.filesync import errors
from pybuild.runtime.sources.statcache import known_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pybuild.compiler.protos.fspackets_pb2 import Stat
    from pybuild.runtime.sources.statcache import Known

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Entry:
    """The client's description of a path, and the path on disk (`real`)."""

    __slots__ = ("attributes", "gid", "link", "mode", "mtime", "path", "rdev", "real", "size", "uid")

    def __init__(self, path: bytes, real: bytes, description: Stat) -> None:
        """Read a description. Raises TransferFailed for an invalid mode."""
        try:
            self.mode = unix_mode(description.mode)
        except ValueError:
            raise errors.bad_kind(path, description.mode) from None
        self.path = path
        self.real = real
        self.uid, self.gid = description.uid, description.gid
        self.size = description.size
        self.mtime = description.modTime
        self.link = description.linkname
        self.rdev = (
            os.makedev(description.devmajor, description.devminor)
            if description.devmajor or description.devminor
            else 0
        )
        self.attributes: Mapping[str, bytes] = (
            {name: value for name, value in description.xattrs.items() if is_content_attribute(name)}
            if description.xattrs
            else {}
        )

    @property
    def kind(self) -> int:
        """The type bits of the mode."""
        return stat.S_IFMT(self.mode)

    def described(self, status: os.stat_result) -> bool:
        """Report whether the file on disk has the type, mode, owner and extended attributes of the description."""
        return (
            status.st_mode == self.mode
            and status.st_uid == self.uid
            and status.st_gid == self.gid
            and _attributes(self.real) == self.attributes
        )

    def same(self, status: os.stat_result) -> bool:
        """Report whether the file on disk equals the description, as far as that shows without reading it."""
        if self.kind == stat.S_IFLNK:
            return (
                stat.S_ISLNK(status.st_mode)
                and os.readlink(self.real) == self.link
                and (status.st_uid, status.st_gid, status.st_mtime_ns) == (self.uid, self.gid, self.mtime)
            )
        if not self.described(status) or status.st_mtime_ns != self.mtime:
            return False
        return status.st_size == self.size if self.kind == stat.S_IFREG else status.st_rdev == self.rdev

    def clear(self, status: os.stat_result | None) -> None:
        """Remove an existing file or directory at the path."""
        if status is None:
            return
        if stat.S_ISDIR(status.st_mode):
            remove_tree(self.real)
        else:
            os.unlink(self.real)

    def make(self) -> None:
        """Create a symlink, device or pipe at the path, which is free."""
        if self.kind == stat.S_IFLNK:
            os.symlink(self.link, self.real)
            os.chown(self.real, self.uid, self.gid, follow_symlinks=False)
        else:
            os.mknod(self.real, self.mode, self.rdev)
            self.describe()
        os.utime(self.real, ns=(self.mtime, self.mtime), follow_symlinks=False)

    def describe(self, at: int | None = None) -> None:
        """Set owner, mode and extended attributes of the path, or of the open file `at`."""
        target = self.real if at is None else at
        # In this order: chown clears set-id bits.
        os.chown(target, self.uid, self.gid)
        os.chmod(target, stat.S_IMODE(self.mode))
        there = _attributes(target)
        for name in there.keys() - self.attributes.keys():
            os.removexattr(target, name)
        for name, value in self.attributes.items():
            if there.get(name) != value:
                _set_attribute(target, name, value)


class Writing:
    """A regular file that is being received. End with `finish` or `abandon`."""

    __slots__ = ("_digest", "_fd", "entry")

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self._digest = sha256()
        self._fd = os.open(entry.real, _FLAGS, 0o600)

    def write(self, data: bytes) -> None:
        """Append bytes."""
        self._digest.update(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]

    def finish(self) -> Known:
        """Complete the file, and return its entry for the stat cache."""
        entry, fd = self.entry, self._fd
        try:
            entry.describe(fd)
            os.utime(fd, ns=(entry.mtime, entry.mtime))
            return known_of(os.fstat(fd), self._digest.digest(), bool(entry.attributes))
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Close the file, complete or not. Idempotent."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def _attributes(target: bytes | int) -> dict[str, bytes]:
    follow = isinstance(target, int)
    try:
        names = os.listxattr(target, follow_symlinks=follow)
    except OSError as failure:
        if failure.errno != errno.ENOTSUP:
            raise
        return {}
    if not names:
        return {}
    return {
        name: os.getxattr(target, name, follow_symlinks=follow)
        for name in names
        if is_content_attribute(name)
    }


def _set_attribute(target: bytes | int, name: str, value: bytes) -> None:
    """Set an extended attribute. As in fsutil, it is left out if the file system has none or the kernel refuses
    it."""
    try:
        os.setxattr(target, name, value, follow_symlinks=isinstance(target, int))
    except OSError as failure:
        if failure.errno not in (errno.ENOTSUP, errno.EPERM):
            raise
