"""Entries of a received tree: whether one on disk is what the client described, and how it becomes that.

A path is joined from names that were checked, below directories that this transfer found or made: no symlink is on
the way. A file is written under its own name and gets its time last: one that a broken transfer left is not taken for
whole.
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
    """What a client says of one path, and where that is."""

    __slots__ = ("attributes", "gid", "link", "mode", "mtime", "path", "rdev", "real", "size", "uid")

    def __init__(self, path: bytes, real: bytes, said: Stat) -> None:
        """Raises TransferFailed for a mode that is none."""
        try:
            self.mode = unix_mode(said.mode)
        except ValueError:
            raise errors.bad_kind(path, said.mode) from None
        self.path = path
        self.real = real
        self.uid, self.gid = said.uid, said.gid
        self.size = said.size
        self.mtime = said.modTime
        self.link = said.linkname
        self.rdev = os.makedev(said.devmajor, said.devminor) if said.devmajor or said.devminor else 0
        self.attributes: Mapping[str, bytes] = (
            {name: value for name, value in said.xattrs.items() if is_content_attribute(name)}
            if said.xattrs
            else {}
        )

    @property
    def kind(self) -> int:
        return stat.S_IFMT(self.mode)

    def described(self, found: os.stat_result) -> bool:
        """Whether what is there has the kind, mode, owner and attributes that were said."""
        return (
            found.st_mode == self.mode
            and found.st_uid == self.uid
            and found.st_gid == self.gid
            and _attributes(self.real) == self.attributes
        )

    def same(self, found: os.stat_result) -> bool:
        """Whether what is there is the entry, by all that can be told without reading a file."""
        if self.kind == stat.S_IFLNK:
            return (
                stat.S_ISLNK(found.st_mode)
                and os.readlink(self.real) == self.link
                and (found.st_uid, found.st_gid, found.st_mtime_ns) == (self.uid, self.gid, self.mtime)
            )
        if not self.described(found) or found.st_mtime_ns != self.mtime:
            return False
        return found.st_size == self.size if self.kind == stat.S_IFREG else found.st_rdev == self.rdev

    def clear(self, found: os.stat_result | None) -> None:
        """Have nothing at the path."""
        if found is None:
            return
        if stat.S_ISDIR(found.st_mode):
            remove_tree(self.real)
        else:
            os.unlink(self.real)

    def make(self) -> None:
        """Make what is neither a directory nor a regular file, where nothing is."""
        if self.kind == stat.S_IFLNK:
            os.symlink(self.link, self.real)
            os.chown(self.real, self.uid, self.gid, follow_symlinks=False)
        else:
            os.mknod(self.real, self.mode, self.rdev)
            self.describe()
        os.utime(self.real, ns=(self.mtime, self.mtime), follow_symlinks=False)

    def describe(self, at: int | None = None) -> None:
        """Give the entry, or the file open at `at`, its owner, mode and attributes."""
        target = self.real if at is None else at
        os.chown(target, self.uid, self.gid)
        os.chmod(target, stat.S_IMODE(self.mode))
        there = _attributes(target)
        for name in there.keys() - self.attributes.keys():
            os.removexattr(target, name)
        for name, value in self.attributes.items():
            if there.get(name) != value:
                _set_attribute(target, name, value)


class Writing:
    """A regular file that is being received. `finish` or `abandon` it."""

    __slots__ = ("_digest", "_fd", "entry")

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self._digest = sha256()
        self._fd = os.open(entry.real, _FLAGS, 0o600)

    def write(self, data: bytes) -> None:
        self._digest.update(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]

    def finish(self) -> Known:
        """The file is whole; what is known of it."""
        entry, fd = self.entry, self._fd
        try:
            entry.describe(fd)
            os.utime(fd, ns=(entry.mtime, entry.mtime))
            return known_of(os.fstat(fd), self._digest.digest(), bool(entry.attributes))
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Idempotent."""
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
    found = [name for name in names if is_content_attribute(name)]
    return {name: os.getxattr(target, name, follow_symlinks=follow) for name in found}


def _set_attribute(target: bytes | int, name: str, value: bytes) -> None:
    """A file system that has none of them, or a kernel that refuses one to this user, leaves it away, as fsutil
    does."""
    try:
        os.setxattr(target, name, value, follow_symlinks=isinstance(target, int))
    except OSError as failure:
        if failure.errno not in (errno.ENOTSUP, errno.EPERM):
            raise
