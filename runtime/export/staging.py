"""Files of a result, prepared beside their destination and then put in place by renames.

    Stage.write     everything into `.pybuild-…`, a directory in the destination: what can't be read or has no room
                    fails here, with the destination as it was
    Stage.merge     directories into those that are there, every other entry in place of what has its name
    Stage.replace   the same after all that was there has been moved aside; moved back if a rename fails

The builder's user owns the files; modes, times, `user.*` attributes and links are the result's, except the
set-id bits, as the owner is another one here. Devices, pipes and sockets are left out.
"""

from __future__ import annotations

import os
import stat

from pybuild.lang.diagnostics import Cancelled
from pybuild.runtime.export.beneath import FLAGS, opened
from pybuild.runtime.export.destination import ExportError
from pybuild.runtime.export.filecopy import copy_attributes, copy_file
from pybuild.runtime.snapshots.removal import mounts_below, remove_tree
from pybuild.runtime.sources.local import LocalTree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from pybuild.runtime.export.beneath import Beneath
    from pybuild.runtime.export.selecting import Selected
    from pybuild.runtime.snapshots.types import Node, Tree

_MODE = 0o1777
_WRITTEN = (stat.S_IFREG, stat.S_IFLNK, stat.S_IFDIR)


class Stage:
    """Entries on their way into the directory `target`; a context. `written` are the paths of files, links
    and empty directories that will be there."""

    __slots__ = (
        "_cancelled",
        "_directories",
        "_fd",
        "_links",
        "_name",
        "_parents",
        "_place",
        "_target",
        "written",
    )

    def __init__(self, target: Beneath, cancelled: Callable[[], bool] | None = None) -> None:
        self._target = target
        self._cancelled = cancelled
        self._name = b".pybuild-" + os.urandom(8).hex().encode()
        self._fd = -1
        self._place = b""
        self._links: dict[tuple[int, int], bytes] = {}
        self._directories: dict[bytes, Node] = {}
        self._parents: set[bytes] = set()
        self.written: dict[bytes, None] = {}

    def __enter__(self) -> Stage:
        os.mkdir(self._name, 0o700, dir_fd=self._target.fd)
        self._fd = os.open(self._name, FLAGS, dir_fd=self._target.fd)
        # By descriptor: the directory may be renamed by others while files are written into it.
        self._place = b"/proc/self/fd/%d/" % self._fd
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        os.close(self._fd)
        remove_tree(b"/proc/self/fd/%d/%b" % (self._target.fd, self._name))
        if kind is None:
            self._finish()

    # Writing

    def write(self, tree: Tree, one: Selected) -> None:
        """Prepare an entry with everything below it. Raises ExportError, Cancelled, OSError."""
        if not one.is_directory and stat.S_IFMT(one.node.stat.st_mode) not in _WRITTEN:
            raise ExportError(f"/{os.fsdecode(one.node.path)} is neither a file nor a directory nor a link")
        self._parents_of(one.place)
        self._write(tree, one.node, one.place)
        if one.is_directory:
            start = len(one.node.path) + 1 if one.node.path else 0
            prefix = one.place + b"/" if one.place else b""
            for node in tree.walk(one.node.path):
                if self._cancelled is not None and self._cancelled():
                    raise Cancelled
                self._write(tree, node, prefix + node.path[start:])

    def _parents_of(self, place: bytes) -> None:
        """Make the parent directories of a pattern's match."""
        parts = place.split(b"/")[:-1]
        for count in range(1, len(parts) + 1):
            above = b"/".join(parts[:count])
            if above not in self._directories and above not in self._parents:
                self._free(above, directory=True)
                os.mkdir(self._place + above)
                self._parents.add(above)

    def _write(self, tree: Tree, node: Node, place: bytes) -> None:
        kind = stat.S_IFMT(node.stat.st_mode)
        if kind not in _WRITTEN:
            return
        self.written.pop(place.rpartition(b"/")[0], None)
        if kind == stat.S_IFDIR:
            self._directory(node, place)
            return
        self._free(place, directory=False)
        target = self._place + place
        inode = (node.stat.st_dev, node.stat.st_ino)
        # Names of one inode in the result stay names of one inode.
        first = self._links.get(inode) if node.stat.st_nlink > 1 else None
        if first is not None:
            os.link(self._place + first, target, follow_symlinks=False)
        elif kind == stat.S_IFLNK:
            os.symlink(_link_target(tree, node), target)
            _times(node, target)
        else:
            copy_file(node, target)
            copy_attributes(node, target, capabilities=False)
            os.chmod(target, stat.S_IMODE(node.stat.st_mode) & 0o777)
            _times(node, target)
        if node.stat.st_nlink > 1:
            self._links.setdefault(inode, place)
        self.written[place] = None

    def _directory(self, node: Node, place: bytes) -> None:
        if place and place not in self._directories and place not in self._parents:
            self._free(place, directory=True)
            os.mkdir(self._place + place)
        if place not in self._directories:
            self.written[place] = None
        self._parents.discard(place)
        self._directories[place] = node

    def _free(self, place: bytes, *, directory: bool) -> None:
        """Remove the entry of an earlier source at a place: the later one wins."""
        try:
            state = os.lstat(self._place + place)
        except FileNotFoundError:
            return
        if directory or stat.S_ISDIR(state.st_mode):
            raise ExportError(
                f"two sources have {os.fsdecode(place)}, one as a file and one as a directory",
                help="give them destinations of their own",
            )
        os.unlink(self._place + place)
        self._links = {inode: first for inode, first in self._links.items() if first != place}

    # Putting in place

    def merge(self) -> None:
        """Move everything into the destination. Raises OSError and, with nothing changed, ExportError for a
        file that would replace a directory that is not empty."""
        moves = self._moves()
        for here, name in moves:
            source, target = opened(self._fd, here), opened(self._target.fd, here)
            try:
                _make_way(source, target, name)
                os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
            finally:
                os.close(source)
                os.close(target)

    def _moves(self) -> list[tuple[bytes, bytes]]:
        """Return the renames that put everything in place, as directory and name; of directories only those
        that are new."""
        moves: list[tuple[bytes, bytes]] = []
        pending = [b""]
        while pending:
            here = pending.pop()
            source, target = opened(self._fd, here), opened(self._target.fd, here)
            try:
                for name in sorted(map(os.fsencode, os.listdir(source))):
                    if self._merges(source, target, here, name):
                        pending.append(here + b"/" + name if here else name)
                    else:
                        moves.append((here, name))
            finally:
                os.close(source)
                os.close(target)
        return moves

    def _merges(self, source: int, target: int, here: bytes, name: bytes) -> bool:
        """Return whether an entry is a directory on both sides."""
        try:
            there = os.lstat(name, dir_fd=target)
        except FileNotFoundError:
            return False
        if not stat.S_ISDIR(there.st_mode):
            return False
        if stat.S_ISDIR(os.lstat(name, dir_fd=source).st_mode):
            return True
        fd = os.open(name, FLAGS, dir_fd=target)
        try:
            if os.listdir(fd):
                where = os.path.join(self._target.path, os.fsdecode(here), os.fsdecode(name))
                raise ExportError(
                    f"{where} is a directory with files in it, where the result has a file",
                    help="remove the directory, or end the destination with a slash to put the file into it",
                )
        finally:
            os.close(fd)
        return False

    def replace(self, names: list[bytes] | None = None) -> None:
        """Replace the contents of the destination, or its entries `names`. On ExportError or OSError the
        earlier contents are restored."""
        target = self._target.fd
        whole = b"/proc/self/fd/%d" % target
        there = [name for name in map(os.fsencode, os.listdir(target)) if name != self._name]
        names = there if names is None else [name for name in names if name in there]
        # A rename can't move a mount point, and emptying one would reach into another file system.
        mounted = [point.removeprefix(whole + b"/").partition(b"/")[0] for point in mounts_below(whole)]
        if not set(mounted).isdisjoint(names):
            raise ExportError(
                f"a file system is mounted in {self._target.path}, which was to be emptied",
                help="unmount it, or leave out clean=true",
            )
        aside = self._name + b"-old"
        os.mkdir(aside, 0o700, dir_fd=target)
        old = os.open(aside, FLAGS, dir_fd=target)
        try:
            self._exchange(names, old)
        except BaseException:
            os.rmdir(aside, dir_fd=target)
            raise
        finally:
            os.close(old)
        remove_tree(whole + b"/" + aside)

    def _exchange(self, names: list[bytes], old: int) -> None:
        """Move the entries `names` into the directory open at `old` and the prepared ones to their places;
        undo all of it if a rename fails."""
        target = self._target.fd
        ready = sorted(map(os.fsencode, os.listdir(self._fd)))
        done: list[tuple[int, int, bytes]] = []
        try:
            for source, there, name in [
                *((target, old, name) for name in sorted(names)),
                *((self._fd, target, name) for name in ready),
            ]:
                os.rename(name, name, src_dir_fd=source, dst_dir_fd=there)
                done.append((source, there, name))
        except BaseException:
            # Undone in reverse, so that no name is taken when something returns to it.
            for source, there, name in reversed(done):
                os.rename(name, name, src_dir_fd=there, dst_dir_fd=source)
            raise

    def _finish(self) -> None:
        """Set the attributes of directories after the last change in them, those inside first, as a mode may
        forbid to enter the outer ones."""
        # In reverse order of their paths, what is inside comes before its parents.
        for place, node in sorted(self._directories.items(), reverse=True):
            if not place and not self._target.made:
                continue
            fd = opened(self._target.fd, place)
            try:
                there = b"/proc/self/fd/%d" % fd
                copy_attributes(node, there, capabilities=False)
                os.fchmod(fd, stat.S_IMODE(node.stat.st_mode) & _MODE)
                os.utime(fd, ns=(node.stat.st_mtime_ns, node.stat.st_mtime_ns))
            finally:
                os.close(fd)


def _make_way(source: int, target: int, name: bytes) -> None:
    """Remove what a rename can't replace: a file for a directory, an empty directory for a file."""
    try:
        there = os.lstat(name, dir_fd=target)
    except FileNotFoundError:
        return
    new = stat.S_ISDIR(os.lstat(name, dir_fd=source).st_mode)
    if new and not stat.S_ISDIR(there.st_mode):
        os.unlink(name, dir_fd=target)
    elif not new and stat.S_ISDIR(there.st_mode):
        os.rmdir(name, dir_fd=target)


def _times(node: Node, target: bytes) -> None:
    time = node.stat.st_mtime_ns
    os.utime(target, ns=(time, time), follow_symlinks=False)


def _link_target(tree: Tree, node: Node) -> bytes:
    # A local tree reads each link once, so that it is the same throughout a build.
    return tree.readlink(node) if isinstance(tree, LocalTree) else node.readlink()
