"""A kept tree becomes what a client describes, entry by entry in the order of a walk.

1. An entry belongs to the directory that was described last of those above it. All described directories from the
   root to there are *open*: each knows what is on disk in it and wasn't described yet.
2. A directory that is left is *closed*: what wasn't described of it goes.
3. What is on disk and is the entry stays; a regular file that isn't is asked of the client, anything else is made.
4. Links and the times of directories come last, when all files are there.
"""

from __future__ import annotations

import os
import stat

from pybuild.runtime.snapshots.removal import remove_tree
from pybuild.runtime.sources.filesync import errors
from pybuild.runtime.sources.filesync.entries import Entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybuild.compiler.protos.fspackets_pb2 import Stat

_ROOT_MODE = 0o755


class OpenDirectory:
    """A directory that is being described. `left` is what is on disk in it and has not been described, None while the
    directory itself waits to be made for something in it; `last` is the name that came last."""

    __slots__ = ("entry", "last", "left", "path", "real")

    def __init__(self, path: bytes, real: bytes, entry: Entry | None) -> None:
        self.path = path
        self.real = real
        self.entry = entry
        self.left: dict[bytes, os.stat_result] | None = None
        self.last = b""


class ReceivedTree:
    """The tree at `root`. `compare` false: no file on disk is taken for the client's. `chosen` tells by path what
    is to be there; a directory that isn't chosen is there for what is in it. `request` is told of each regular file
    whose bytes are needed, where nothing is, by the entry's number."""

    def __init__(
        self,
        root: bytes,
        request: Callable[[int, Entry], object],
        *,
        compare: bool = True,
        chosen: Callable[[bytes], bool] | None = None,
    ) -> None:
        self._root = root
        self._request = request
        self._compare = compare
        self._chosen = chosen
        self._links: list[Entry] = []
        self._directories: list[Entry] = []
        self._inodes: set[int] = set()
        self._count = 0
        top = OpenDirectory(b"", root, None)
        top.left = _listed(root)
        self._open = [top]

    def describe(self, said: Stat) -> None:
        """Take up the next entry of the walk. Raises TransferFailed."""
        number, self._count = self._count, self._count + 1
        path = _checked(said.path)
        parent, _, name = path.rpartition(b"/")
        directory = self._enter(parent, path)
        if name <= directory.last:
            raise errors.out_of_order(directory.last, path)
        directory.last = name
        entry = Entry(path, directory.real + b"/" + name, said)
        try:
            if stat.S_ISDIR(entry.mode):
                self._open.append(OpenDirectory(path, entry.real, entry))
            if self._chosen is None or self._chosen(path):
                self._place(number, entry, name, directory)
        except OSError as error:
            raise errors.not_written(path, error) from None

    def finish(self, keep: bytes = b"") -> None:
        """The walk has ended and all files are there. `keep` is the name of a file of the root that is not the
        client's. Raises TransferFailed."""
        try:
            left = self._open[0].left
            assert left is not None
            left.pop(keep, None)
            self._close_to(0)
            _close(self._open[0])
            for entry in self._links:
                self._link(entry)
            for entry in reversed(self._directories):
                if os.stat(entry.real).st_mtime_ns != entry.mtime:
                    os.utime(entry.real, ns=(entry.mtime, entry.mtime))
        except OSError as error:
            raise errors.not_written(os.fsencode(error.filename or b""), error) from None

    # Directories

    def _enter(self, parent: bytes, path: bytes) -> OpenDirectory:
        """The open directory at `parent`; those that lie elsewhere are closed."""
        open_ = self._open
        while open_[-1].path != parent:
            if len(open_) == 1:
                raise errors.no_parent(path)
            self._close_to(len(open_) - 2)
        return open_[-1]

    def _close_to(self, depth: int) -> None:
        try:
            while len(self._open) > depth + 1:
                _close(self._open.pop())
        except OSError as error:
            raise errors.not_written(os.fsencode(error.filename or b""), error) from None

    def _made(self, directory: OpenDirectory) -> dict[bytes, os.stat_result]:
        """What is left in an open directory, which is made if it is not there, and those above it."""
        if directory.left is None:
            at = self._open.index(directory)
            above = self._made(self._open[at - 1])
            entry = directory.entry
            assert entry is not None
            self._directory(directory, entry, above.pop(entry.real.rpartition(b"/")[2], None))
        assert directory.left is not None
        return directory.left

    def _directory(self, directory: OpenDirectory, entry: Entry, found: os.stat_result | None) -> None:
        if found is not None and stat.S_ISDIR(found.st_mode):
            if not entry.described(found):
                entry.describe()
            directory.left = _listed(entry.real)
        else:
            entry.clear(found)
            os.mkdir(entry.real, 0o700)
            entry.describe()
            directory.left = {}
        self._directories.append(entry)

    # Entries

    def _place(self, number: int, entry: Entry, name: bytes, directory: OpenDirectory) -> None:
        left = directory.left if directory.left is not None else self._made(directory)
        kind = entry.kind
        if kind == stat.S_IFDIR:
            self._made(self._open[-1])
            return
        found = left.pop(name, None)
        if kind == stat.S_IFREG:
            if entry.link:
                self._links.append(entry)
            elif not self._stays(entry, found):
                entry.clear(found)
                self._request(number, entry)
        elif kind == stat.S_IFSOCK:
            entry.clear(found)  # it means nothing without the process that listens
        elif found is None or not entry.same(found):
            entry.clear(found)
            entry.make()

    def _stays(self, entry: Entry, found: os.stat_result | None) -> bool:
        """Whether a regular file on disk is the client's. Two that the client holds apart have one inode on disk
        only if they were links once: then but one of them stays."""
        if found is None or not self._compare or not entry.same(found):
            return False
        if found.st_nlink > 1:
            if found.st_ino in self._inodes:
                return False
            self._inodes.add(found.st_ino)
        return True

    def _link(self, entry: Entry) -> None:
        """Have a link to a file that came earlier in the walk."""
        target = _checked(entry.link)
        if target.split(b"/") >= entry.path.split(b"/"):
            raise errors.bad_link(entry.path, entry.link)
        real = self._inside(target)
        if real is None:
            raise errors.bad_link(entry.path, entry.link)
        there = os.lstat(real)
        found = os.lstat(entry.real) if os.path.lexists(entry.real) else None
        if found is not None and (found.st_dev, found.st_ino) == (there.st_dev, there.st_ino):
            return
        entry.clear(found)
        os.link(real, entry.real, follow_symlinks=False)

    def _inside(self, path: bytes) -> bytes | None:
        """Where the regular file at `path` lies, with no symlink on the way."""
        real = self._root
        *above, name = path.split(b"/")
        for part in above:
            real += b"/" + part
            if not stat.S_ISDIR(_mode(real)):
                return None
        real += b"/" + name
        return real if stat.S_ISREG(_mode(real)) else None


def _mode(real: bytes) -> int:
    try:
        return os.lstat(real).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0


def _checked(path: bytes) -> bytes:
    """A path of the client's, which leads nowhere but down from the root. Raises TransferFailed."""
    if b"\0" in path or any(part in (b"", b".", b"..") for part in path.split(b"/")):
        raise errors.bad_path(path)
    return path


def _listed(real: bytes) -> dict[bytes, os.stat_result]:
    with os.scandir(real) as entries:
        return {entry.name: entry.stat(follow_symlinks=False) for entry in entries}


def _close(directory: OpenDirectory) -> None:
    """Delete what is in a directory and was not described."""
    for name, found in (directory.left or {}).items():
        real = directory.real + b"/" + name
        if stat.S_ISDIR(found.st_mode):
            remove_tree(real)
        else:
            os.unlink(real)
