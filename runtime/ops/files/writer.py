"""Writes to an active snapshot without mounting it: directly to its upper directory, with the mount's effect.

Directories get their times at the end (`finish`), when nothing is written to them any more. Existing directories get
their old times back, so that the result of a copy does not depend on the time it ran at.
"""

from __future__ import annotations

import errno
import os
import stat

from pybuild.runtime.ops.files.failures import is_a_directory, not_a_directory, through_a_file
from pybuild.runtime.snapshots.upper import copy_up_directory, hide, look, make_opaque_directory, replace
from pybuild.runtime.sources.expansion import look_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pybuild.runtime.snapshots.types import Active, Node, Resolution, Snapshotter, Tree

Owner = tuple[int, int]
_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


class Writer:
    """Writes entries at resolved paths. An `owner` of None leaves the one that the kernel sets: root, and the
    directory's group in a set-group-ID directory."""

    def __init__(self, snapshotter: Snapshotter, active: Active) -> None:
        self._snapshotter = snapshotter
        self._active = active
        self._times: dict[bytes, int] = {}
        self._fresh: dict[bytes, bool] = {}
        self._inherit: set[bytes] = set()
        self._umask = _umask()
        self.tree: Tree = snapshotter.active_tree(active)

    def real(self, path: bytes) -> bytes:
        """Return the path of an entry in the upper directory."""
        return self._active.upper + b"/" + path if path else self._active.upper

    def find(self, path: bytes) -> Resolution:
        """Resolve `path`, which may be missing. Raises UserError for a file in place of a directory on the way, and
        for a cycle of symlinks."""
        try:
            return self.tree.resolve(path)
        except NotADirectoryError:
            raise through_a_file(path.strip(b"/")) from None
        except OSError:
            return look_up(self.tree, path)

    def look(self, path: bytes) -> Node | None:
        """Return the entry at a resolved path, None if there is none."""
        if not path:
            return self.tree.lstat(path)
        try:
            return look(self._snapshotter, self._active, path)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def enter(self, path: bytes) -> bool:
        """Prepare the existing directory `path` for entries. Return True if it can't hold entries of the parent
        snapshot, so that callers need not check for existing ones."""
        fresh = self._fresh.get(path)
        if fresh is None:
            copy_up_directory(self._snapshotter, self._active, path)
            status = os.lstat(self.real(path))
            self._times.setdefault(path, status.st_mtime_ns)
            if status.st_mode & stat.S_ISGID:
                self._inherit.add(path)
            fresh = self._fresh[path] = False
        return fresh

    def inherits(self, path: bytes) -> bool:
        """Report whether the kernel gives entries of directory `path`, which was entered, its group."""
        return path in self._inherit

    def mkdir(
        self, path: bytes, mode: int, owner: Owner | None, mtime: int | None, *, exact: bool = False
    ) -> None:
        """Create a directory in place of any existing entry; its parent exists. Unless `exact`, it inherits
        set-group-ID."""
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
        """Create the directory `path` and those above it where they are missing, following symlinks. Return its
        resolved path. Raises UserError for anything else on the way."""
        here, rest = self._existing([part for part in path.split(b"/") if part not in (b"", b".")])
        empty = False
        for part in rest:
            if empty and part != b"..":
                here = here + b"/" + part
                self.mkdir(here, mode, owner, mtime)
                continue
            where = self.find(here + b"/" + part)
            empty = where.node is None
            if where.node is None:
                if where.path.rpartition(b"/")[0] != here:
                    self.make_parents(where.path.rpartition(b"/")[0], owner, mtime, mode)
                self.mkdir(where.path, mode, owner, mtime)
            elif not stat.S_ISDIR(where.node.stat.st_mode):
                raise not_a_directory(where.path)
            here = where.path
        return here

    def _existing(self, parts: list[bytes]) -> tuple[bytes, list[bytes]]:
        """Return the resolved path of the deepest directory on a way that exists, and the rest of the way. Found by
        bisection: each look-up takes all steps from the root."""
        here, first, last = b"", 0, len(parts)
        while first < last:
            middle = (first + last + 1) // 2
            try:
                where = self.tree.resolve(b"/".join(parts[:middle]))
            except OSError:
                where = None  # `find` tells about it
            if where is not None and where.node is not None and stat.S_ISDIR(where.node.stat.st_mode):
                here, first = where.path, middle
            else:
                last = middle - 1
        return here, parts[first:]

    def make_room(self, path: bytes, *, directories: bool = False) -> None:
        """Remove an existing entry at `path`, whose directory exists, so that it can be created. Raises UserError for
        a directory, unless `directories` allows to remove it."""
        if self.enter(path.rpartition(b"/")[0]) and not os.path.lexists(self.real(path)):
            return
        node = self.look(path)
        if node is not None and stat.S_ISDIR(node.stat.st_mode):
            if not directories or not path:
                raise is_a_directory(path)
            self._forget(path)
        replace(self._snapshotter, self._active, path)

    def remove(self, path: bytes) -> None:
        """Remove the entry at `path` with everything below it."""
        self.enter(path.rpartition(b"/")[0])
        hide(self._snapshotter, self._active, path)
        self._forget(path)

    def create(self, real: bytes, mode: int) -> int:
        """Create a file at the real path `real`, which is free, and return its descriptor."""
        fd = os.open(real, _MAKE, mode)
        # `open` applies the umask, which can't be cleared here: it is shared by all threads.
        if mode & self._umask:
            os.fchmod(fd, mode)
        return fd

    def set_mode(self, path: bytes, mode: int) -> None:
        """Set the mode of a directory that was entered or created."""
        os.chmod(self.real(path), mode)
        if mode & stat.S_ISGID:
            self._inherit.add(path)
        else:
            self._inherit.discard(path)

    def set_attributes(self, attributes: Iterable[tuple[str, bytes]], target: bytes | int) -> None:
        """Set extended attributes of an entry, by its real path or descriptor, as far as the file system has them."""
        follow = isinstance(target, int)
        for name, value in attributes:
            try:
                os.setxattr(target, name, value, follow_symlinks=follow)
            except OSError as error:
                if error.errno not in (errno.ENOTSUP, errno.EPERM):
                    raise

    def set_time(self, path: bytes, mtime: int) -> None:
        """Set the time of a directory, in nanoseconds; `finish` applies it."""
        self._times[path] = mtime

    def finish(self) -> None:
        """Apply the times of directories."""
        for path in sorted(self._times, reverse=True):
            mtime = self._times[path]
            os.utime(self.real(path), ns=(mtime, mtime), follow_symlinks=False)
        self._times.clear()

    def reset(self) -> None:
        """Forget which directories are empty, after entries were written by other means."""
        self._fresh.clear()
        self._inherit.clear()

    def _forget(self, path: bytes) -> None:
        """Drop everything known of a directory that is removed, and of those below."""
        below = path + b"/"
        for known in [other for other in self._fresh if other == path or other.startswith(below)]:
            del self._fresh[known]
            self._inherit.discard(known)
        for known in [other for other in self._times if other == path or other.startswith(below)]:
            del self._times[known]


def _umask() -> int:
    """Read this process's umask. `os.umask` would change it for a moment, under the eyes of other threads."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    return 0o777
