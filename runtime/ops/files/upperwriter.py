"""Writes to an active snapshot without mounting it: directly to its upper directory, with the mount's effect.

Directories get their times at the end (`finish`), when nothing is written to them any more.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import nullcontext

from pybuild.runtime.ops.files.failures import is_a_directory
from pybuild.runtime.ops.files.writer import Writer, unknown
from pybuild.runtime.snapshots.upper import copy_up_directory, hide, look, make_opaque_directory, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.ops.files.generation import Generation
    from pybuild.runtime.ops.files.linking import Linking
    from pybuild.runtime.ops.files.owners import Owner
    from pybuild.runtime.ops.files.writer import Attributes, Fill, Known
    from pybuild.runtime.snapshots.types import Active, Content, Node, Snapshotter, Tree

_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_ROOT = (0, 0)
_SET_ID = stat.S_ISUID | stat.S_ISGID


class UpperWriter(Writer):
    """The writer for snapshots whose upper directory can be written."""

    def __init__(self, snapshotter: Snapshotter, active: Active) -> None:
        self._snapshotter = snapshotter
        self._active = active
        self._linking: Linking | None = None
        self._generation: Generation | None = None
        self._times: dict[bytes, int] = {}
        self._fresh: dict[bytes, bool] = {}
        # Directories in which the kernel gives new entries the directory's group.
        self._inherit: set[bytes] = set()
        self._umask = _umask()
        self.tree: Tree = snapshotter.active_tree(active)

    def reuse(self, linking: Linking, generation: Generation | None) -> None:
        self._linking = linking if linking.possible else None
        self._generation = generation

    # Directories

    def look(self, path: bytes) -> Node | None:
        if not path:
            return super().look(path)
        try:
            return look(self._snapshotter, self._active, path)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def enter(self, path: bytes) -> bool:
        fresh = self._fresh.get(path)
        if fresh is None:
            copy_up_directory(self._snapshotter, self._active, path)
            status = os.lstat(self._real(path))
            self._times.setdefault(path, status.st_mtime_ns)
            if status.st_mode & stat.S_ISGID:
                self._inherit.add(path)
            fresh = self._fresh[path] = False
        return fresh

    def mkdir(
        self, path: bytes, mode: int, owner: Owner | None, mtime: int | None, *, exact: bool = False
    ) -> None:
        parent = path.rpartition(b"/")[0]
        if self.enter(parent):
            real = self._real(path)
            os.mkdir(real)
        else:
            self._forget(path)
            real = make_opaque_directory(self._snapshotter, self._active, path)
        inherits = parent in self._inherit
        if owner is not None and (owner != _ROOT or inherits):
            os.chown(real, *owner)
        self._fresh[path] = True
        self.set_mode(path, mode | stat.S_ISGID if inherits and not exact else mode)
        if mtime is not None:
            self._times[path] = mtime

    def set_owner(self, path: bytes, owner: Owner) -> None:
        os.chown(self._real(path), *owner)

    def set_mode(self, path: bytes, mode: int) -> None:
        os.chmod(self._real(path), mode)
        if mode & stat.S_ISGID:
            self._inherit.add(path)
        else:
            self._inherit.discard(path)

    def set_attributes(self, path: bytes, attributes: Attributes) -> None:
        _set_attributes(self._real(path), attributes)

    def set_time(self, path: bytes, mtime: int) -> None:
        self._times[path] = mtime

    # Places

    def make_room(self, path: bytes, *, directories: bool = False) -> None:
        if self.enter(path.rpartition(b"/")[0]) and not os.path.lexists(self._real(path)):
            return
        node = self.look(path)
        if node is not None and stat.S_ISDIR(node.stat.st_mode):
            if not directories or not path:
                raise is_a_directory(path)
            self._forget(path)
        replace(self._snapshotter, self._active, path)

    def remove(self, path: bytes) -> None:
        self.enter(path.rpartition(b"/")[0])
        hide(self._snapshotter, self._active, path)
        self._forget(path)

    # Other entries

    def file(
        self,
        path: bytes,
        mode: int,
        owner: Owner | None,
        fill: Fill,
        attributes: Attributes = (),
        digest: Known = unknown,
    ) -> None:
        real = self._real(path)
        fd = os.open(real, _MAKE, mode)
        try:
            # `open` applies the umask, which can't be cleared here: it is shared by all threads.
            if mode & self._umask:
                os.fchmod(fd, mode)
            mtime = fill(fd)
            given = self._given(path, owner)
            if given is not None:
                os.fchown(fd, *given)
            if given is not None or mode & _SET_ID:
                # chown drops set-id bits, and so does writing in a user namespace.
                os.fchmod(fd, mode)
            _set_attributes(fd, attributes)
            if mtime is not None:
                os.utime(fd, ns=(mtime, mtime))
        finally:
            os.close(fd)
        if self._generation is not None and (known := digest()) is not None:
            self._generation.note(real, known)

    def file_like(self, path: bytes, node: Node) -> bool:
        return self._linking is not None and self._linking.link(node, self._real(path))

    def file_again(self, path: bytes, digest: bytes, size: int, mode: int, owner: Owner, mtime: int) -> bool:
        return self._generation is not None and self._generation.link(
            self._real(path), digest, size, mode, owner, mtime
        )

    def symlink(
        self,
        path: bytes,
        target: bytes,
        owner: Owner | None,
        mtime: int | None,
        attributes: Attributes = (),
    ) -> None:
        real = self._real(path)
        os.symlink(target, real)
        given = self._given(path, owner)
        if given is not None:
            os.chown(real, *given, follow_symlinks=False)
        _set_attributes(real, attributes)
        if mtime is not None:
            os.utime(real, ns=(mtime, mtime), follow_symlinks=False)

    def special(
        self, path: bytes, mode: int, device: int, owner: Owner, mtime: int, attributes: Attributes
    ) -> None:
        real = self._real(path)
        os.mknod(real, mode, device)
        given = self._given(path, owner)
        if given is not None:
            os.chown(real, *given, follow_symlinks=False)
        os.chmod(real, stat.S_IMODE(mode))
        _set_attributes(real, attributes)
        os.utime(real, ns=(mtime, mtime), follow_symlinks=False)

    def link(self, first: bytes, path: bytes) -> None:
        os.link(self._real(first), self._real(path), follow_symlinks=False)

    def unarchive(self, file: Content, path: bytes, archive: str, owner: Owner | None) -> None:
        from pybuild.runtime.image.decompression import pull_decompressed
        from pybuild.runtime.image.unarchive import unarchive

        self.finish()
        active = self._active
        # Without a parent no directory needs overlay's marks, so the entries can be written without a mount.
        place = nullcontext(active.upper) if active.parent is None else active.mount()
        with place as root:
            pull = pull_decompressed(file, name=archive)
            unarchive(pull, root + b"/" + path, archive=archive, owner=owner)
        self.reset()

    # The end

    def finish(self) -> None:
        for path in sorted(self._times, reverse=True):
            mtime = self._times[path]
            os.utime(self._real(path), ns=(mtime, mtime), follow_symlinks=False)
        self._times.clear()

    def reset(self) -> None:
        self._fresh.clear()
        self._inherit.clear()

    # Parts

    def _real(self, path: bytes) -> bytes:
        """Return the path of an entry in the upper directory."""
        return self._active.upper + b"/" + path if path else self._active.upper

    def _given(self, path: bytes, owner: Owner | None) -> Owner | None:
        """Return the owner of an entry, None if the kernel has given it that one."""
        if owner == _ROOT and not (self._inherit and path.rpartition(b"/")[0] in self._inherit):
            return None
        return owner

    def _forget(self, path: bytes) -> None:
        """Drop everything known of a directory that is removed, and of those below."""
        below = path + b"/"
        for known in [other for other in self._fresh if other == path or other.startswith(below)]:
            del self._fresh[known]
            self._inherit.discard(known)
        for known in [other for other in self._times if other == path or other.startswith(below)]:
            del self._times[known]


def _set_attributes(target: bytes | int, attributes: Attributes) -> None:
    """Set extended attributes of an entry, by its real path or descriptor, as far as the file system has them."""
    for name, value in attributes:
        try:
            os.setxattr(target, name, value, follow_symlinks=isinstance(target, int))
        except OSError as error:
            if error.errno not in (errno.ENOTSUP, errno.EPERM):
                raise


def _umask() -> int:
    """Read this process's umask. `os.umask` would change it for a moment, under the eyes of other threads."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    return 0o777
