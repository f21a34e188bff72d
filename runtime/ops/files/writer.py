"""Writes into a snapshot being made, directly in its upper directory, as one would through its mount.

Directories get their times at the end (`finish`), when nothing is written into them any more; those of the parent
keep theirs, so what a copy leaves behind does not depend on when it ran.
"""

from __future__ import annotations

import errno
import os
import stat

from pybuild.runtime.ops.files.failures import is_a_directory, not_a_directory, through_a_file
from pybuild.runtime.snapshots.upper import copy_up_directory, hide, make_opaque_directory, replace
from pybuild.runtime.sources.expansion import look_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pybuild.runtime.snapshots.types import Active, Resolution, Snapshotter, Tree

Owner = tuple[int, int]
_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


class Writer:
    """Paths are resolved ones; an `owner` of None is what the system gives: root, and in a set-group-ID
    directory its group."""

    def __init__(self, snapshotter: Snapshotter, active: Active) -> None:
        self._snapshotter = snapshotter
        self._active = active
        self._times: dict[bytes, int] = {}
        self._fresh: dict[bytes, bool] = {}
        self._inherit: set[bytes] = set()
        self._umask = _umask()
        self.tree: Tree = snapshotter.active_tree(active)

    def real(self, path: bytes) -> bytes:
        return self._active.upper + b"/" + path if path else self._active.upper

    def find(self, path: bytes) -> Resolution:
        """Where `path` leads to, or would. Raises UserError when it leads through something that is no
        directory, or in a circle."""
        try:
            return self.tree.resolve(path)
        except NotADirectoryError:
            raise through_a_file(path.strip(b"/")) from None
        except OSError:
            return look_up(self.tree, path)

    def enter(self, path: bytes) -> bool:
        """Make directory `path`, which exists in the state, ready for entries. True when nothing of the
        parent's can be in it, so that its entries need no look at what is there."""
        fresh = self._fresh.get(path)
        if fresh is None:
            copy_up_directory(self._snapshotter, self._active, path)
            found = os.lstat(self.real(path))
            self._times.setdefault(path, found.st_mtime_ns)
            if found.st_mode & stat.S_ISGID:
                self._inherit.add(path)
            fresh = self._fresh[path] = False
        return fresh

    def inherits(self, path: bytes) -> bool:
        """Whether entries made in directory `path`, which was entered, get its group."""
        return path in self._inherit

    def mkdir(
        self, path: bytes, mode: int, owner: Owner | None, mtime: int | None, *, exact: bool = False
    ) -> None:
        """Make a directory in place of whatever is there; its parent exists. Unless `exact`, set-group-ID is
        inherited."""
        parent = path.rpartition(b"/")[0]
        if self.enter(parent):
            real = self.real(path)
            os.mkdir(real)
        else:
            self._forget(path)
            real = make_opaque_directory(self._snapshotter, self._active, path)
        inherits = self.inherits(parent)
        if owner is not None and (owner != (0, 0) or inherits):
            os.chown(real, *owner)
        self._fresh[path] = True
        self.set_mode(path, mode | stat.S_ISGID if inherits and not exact else mode)
        if mtime is not None:
            self._times[path] = mtime

    def make_parents(self, path: bytes, owner: Owner | None, mtime: int | None, mode: int = 0o755) -> bytes:
        """Make the directory at `path`, and those above it, where they are missing, symlinks walked; its
        resolved path. Raises UserError when something else stands in the way."""
        here = b""
        for part in path.split(b"/"):
            if part in (b"", b"."):
                continue
            where = self.find(here + b"/" + part)
            if where.node is None:
                if where.path.rpartition(b"/")[0] != here:
                    self.make_parents(where.path.rpartition(b"/")[0], owner, mtime, mode)
                self.mkdir(where.path, mode, owner, mtime)
            elif not stat.S_ISDIR(where.node.stat.st_mode):
                raise not_a_directory(where.path)
            here = where.path
        return here

    def make_room(self, path: bytes, *, directories: bool = False) -> None:
        """Have nothing at `path`, whose directory exists, so that something can be made there. A directory
        goes only with `directories`; else it is a UserError."""
        if self.enter(path.rpartition(b"/")[0]) and not os.path.lexists(self.real(path)):
            return
        node = self.tree.lstat(path)
        if node is not None and stat.S_ISDIR(node.stat.st_mode):
            if not directories or not path:
                raise is_a_directory(path)
            self._forget(path)
        replace(self._snapshotter, self._active, path)

    def remove(self, path: bytes) -> None:
        """Remove the entry at `path` with all below it."""
        self.enter(path.rpartition(b"/")[0])
        hide(self._snapshotter, self._active, path)
        self._forget(path)

    def create(self, real: bytes, mode: int) -> int:
        """A descriptor of a file made at the real path `real`, where nothing is."""
        fd = os.open(real, _MAKE, mode)
        if mode & self._umask:
            os.fchmod(fd, mode)
        return fd

    def set_mode(self, path: bytes, mode: int) -> None:
        """The mode of a directory that was entered or made."""
        os.chmod(self.real(path), mode)
        if mode & stat.S_ISGID:
            self._inherit.add(path)
        else:
            self._inherit.discard(path)

    def set_attributes(self, found: Iterable[tuple[str, bytes]], target: bytes | int) -> None:
        """Extended attributes of an entry, by its real path or descriptor, where they can be had."""
        follow = isinstance(target, int)
        for name, value in found:
            try:
                os.setxattr(target, name, value, follow_symlinks=follow)
            except OSError as error:
                if error.errno not in (errno.ENOTSUP, errno.EPERM):
                    raise

    def set_time(self, path: bytes, mtime: int) -> None:
        """The time of a directory, set when all is written."""
        self._times[path] = mtime

    def finish(self) -> None:
        for path in sorted(self._times, reverse=True):
            mtime = self._times[path]
            os.utime(self.real(path), ns=(mtime, mtime), follow_symlinks=False)
        self._times.clear()

    def reset(self) -> None:
        """Take it that any directory may have entries."""
        self._fresh.clear()
        self._inherit.clear()

    def _forget(self, path: bytes) -> None:
        below = path + b"/"
        for known in [one for one in self._fresh if one == path or one.startswith(below)]:
            del self._fresh[known]
            self._inherit.discard(known)
        for known in [one for one in self._times if one == path or one.startswith(below)]:
            del self._times[known]


def _umask() -> int:
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    return 0o777
