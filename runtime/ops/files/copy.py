"""The copy action, with the rules of BuildKit's file backend (`solver/llbsolver/file`, fsutil's `copy`).

A file goes into the destination if that is a directory, else in its place. A directory's content is merged into
the destination with `dir_copy_contents`; without, the directory itself goes in or takes the place. What is below
the source is never followed; an existing directory stays and takes the source's metadata, except the topmost.
"""

from __future__ import annotations

import errno
import os
import stat

from pybuild.lang.diagnostics import Cancelled, UserError
from pybuild.runtime.ops.files.modes import change_mode
from pybuild.runtime.ops.files.selection import sources
from pybuild.runtime.ops.files.writer import mtime_of, not_a_directory
from pybuild.runtime.sources.local import LocalTree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybuild.compiler.ops import Copy
    from pybuild.runtime.ops.files.linking import Linking
    from pybuild.runtime.ops.files.writer import Owner, Writer
    from pybuild.runtime.snapshots.types import Node, Tree
    from pybuild.runtime.solver.types import Cancellation

CHUNK = 1 << 20


class Copier:
    """Carries out one copy action."""

    def __init__(
        self,
        action: Copy,
        source: Tree,
        writer: Writer,
        owner: Owner | None,
        linking: Linking,
        cancellation: Cancellation,
    ) -> None:
        self._action = action
        self._source = source
        self._writer = writer
        self._owner = owner
        self._linking = linking
        self._cancellation = cancellation
        self._made: dict[tuple[int, int], bytes] = {}
        self._local = source if isinstance(source, LocalTree) else None

    def run(self, unpack: Callable[[Node, bytes], bool]) -> None:
        """Copy. `unpack` is tried on files first when the action asks for it; it tells whether it was one."""
        found = sources(self._action, self._source)
        if not found and not self._action.allow_empty_wildcard:
            raise self.missing()
        for path in found:
            where = self._source.resolve(path, follow_last=self._action.follow_symlink)
            if where.node is None:
                raise self.missing()
            if self._action.attempt_unpack and unpack(where.node, os.fsencode(self._action.dest)):
                continue
            name = path.rpartition(b"/")[2]
            self._entry(where.node, self._target(where.node, name), top=True)

    def missing(self) -> UserError:
        return UserError(f'"{self._action.src}": not found')

    def _target(self, node: Node, name: bytes) -> bytes:
        """Where the source goes; directories above it are made."""
        action, writer = self._action, self._writer
        dest = os.fsencode(os.path.normpath("/" + action.dest))
        into, _, last = os.fsencode("/" + action.dest).rpartition(b"/")
        if action.create_dest_path:
            self._parents(into if last not in (b"", b".") else dest)
        where = writer.tree.resolve(dest)
        parent = where.path.rpartition(b"/")[0]
        if where.node is None and writer.tree.resolve(parent).node is None and not action.create_dest_path:
            raise UserError(f"/{os.fsdecode(parent)}: no such directory", help="make it in an earlier step")
        directory = stat.S_ISDIR(node.stat.st_mode)
        there = where.node is not None and stat.S_ISDIR(where.node.stat.st_mode)
        path = where.path
        if (directory and not action.dir_copy_contents and where.node is not None) or (
            not directory and there
        ):
            path = path + b"/" + name if path else name
        self._parents(path.rpartition(b"/")[0])
        return path

    def _parents(self, path: bytes) -> None:
        timestamp = self._action.timestamp
        self._writer.make_parents(path, self._owner, None if timestamp == -1 else timestamp)

    # One entry and what is below it

    def _entry(self, node: Node, path: bytes, *, top: bool) -> None:
        if self._cancellation.cancelled:
            raise Cancelled
        kind = stat.S_IFMT(node.stat.st_mode)
        if kind == stat.S_IFDIR:
            self._directory(node, path, top=top)
            return
        self._writer.make_room(path, directories=self._action.always_replace_existing_dest_paths)
        if kind == stat.S_IFREG:
            self._file(node, path)
        elif kind == stat.S_IFLNK:
            os.symlink(os.readlink(node.real), self._writer.real(path))
            self._metadata(node, path)
        elif kind in (stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO):
            os.mknod(self._writer.real(path), node.stat.st_mode, node.stat.st_rdev)
            self._metadata(node, path)
        # Sockets are not copied: they mean nothing without the process that listens.

    def _directory(self, node: Node, path: bytes, *, top: bool) -> None:
        writer = self._writer
        there = writer.tree.lstat(path) if not self._nothing_at(path) else None
        if there is not None and not stat.S_ISDIR(there.stat.st_mode):
            if not self._action.always_replace_existing_dest_paths:
                raise not_a_directory(path)
            there = None
        if there is None and path:
            writer.mkdir(path, self._mode(node), self._owner_of(node), None)
        else:
            writer.enter(path)
        for child in self._source.list(node.path):
            name = child.path.rpartition(b"/")[2]
            self._entry(child, path + b"/" + name if path else name, top=False)
        if there is None or not top:
            real = writer.real(path)
            if there is not None:
                os.chown(real, *(self._owner_of(node) or (0, 0)))
                os.chmod(real, self._mode(node))
            writer.copy_attributes(node.real, real)
            writer.set_time(path, mtime_of(node, self._action.timestamp))

    def _nothing_at(self, path: bytes) -> bool:
        return bool(path) and self._writer.enter(path.rpartition(b"/")[0])

    def _file(self, node: Node, path: bytes) -> None:
        target = self._writer.real(path)
        if node.stat.st_nlink > 1:
            inode = (node.stat.st_dev, node.stat.st_ino)
            earlier = self._made.setdefault(inode, target)
            if earlier is not target:
                os.link(earlier, target, follow_symlinks=False)
                return
        if self._plain_metadata(node) and self._linking.link(node, target):
            return
        fd = self._writer.create(path, self._mode(node))
        try:
            if self._local is not None:
                self._local.copy(node, fd)
            else:
                _copy_bytes(node, fd)
        finally:
            os.close(fd)
        self._metadata(node, path, mode=False)

    def _plain_metadata(self, node: Node) -> bool:
        """Whether the copy is to have the very metadata of its source."""
        action = self._action
        return (
            self._local is None
            and action.mode == -1
            and not action.mode_str
            and action.timestamp == -1
            and self._owner in (None, (node.stat.st_uid, node.stat.st_gid))
        )

    def _metadata(self, node: Node, path: bytes, *, mode: bool = True) -> None:
        real = self._writer.real(path)
        owner = self._owner_of(node)
        if owner is not None and owner != (0, 0):
            os.chown(real, *owner, follow_symlinks=False)
            mode = True  # chown drops setuid and setgid
        if mode and not stat.S_ISLNK(node.stat.st_mode):
            os.chmod(real, self._mode(node))
        self._writer.copy_attributes(node.real, real)
        mtime = mtime_of(node, self._action.timestamp)
        os.utime(real, ns=(mtime, mtime), follow_symlinks=False)

    def _owner_of(self, node: Node) -> Owner | None:
        if self._owner is not None or self._local is not None:
            return self._owner
        return node.stat.st_uid, node.stat.st_gid

    def _mode(self, node: Node) -> int:
        action = self._action
        if action.mode_str:
            return change_mode(
                stat.S_IMODE(node.stat.st_mode), action.mode_str, stat.S_ISDIR(node.stat.st_mode)
            )
        return stat.S_IMODE(node.stat.st_mode) if action.mode == -1 else action.mode & 0o7777


def _copy_bytes(node: Node, target: int) -> None:
    """Copy a file's bytes; by the kernel where source and target allow it. Holes stay holes."""
    fd = os.open(node.real, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        size = node.stat.st_size
        if size > node.stat.st_blocks * 512 and size > CHUNK:
            _copy_sparse(fd, target, size)
            return
        while size > 0:
            try:
                done = os.copy_file_range(fd, target, min(size, 1 << 30))
            except OSError as error:
                if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
                    raise
                break
            if done == 0:
                break
            size -= done
        while data := os.read(fd, CHUNK):
            _write_all(target, data)
    finally:
        os.close(fd)


def _copy_sparse(fd: int, target: int, size: int) -> None:
    os.ftruncate(target, size)
    offset = 0
    while offset < size:
        try:
            start = os.lseek(fd, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        offset = os.lseek(fd, start, os.SEEK_HOLE)
        os.lseek(target, start, os.SEEK_SET)
        os.lseek(fd, start, os.SEEK_SET)
        left = offset - start
        while left > 0 and (data := os.read(fd, min(CHUNK, left))):
            _write_all(target, data)
            left -= len(data)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
