"""Changes a tree on disk to what a client describes, entry by entry in the order of a walk.

1. The directories from the root to the present entry are *open*: each knows the files on disk that have not been
   described yet.
2. When the walk leaves a directory it is *closed*: files that were not described are removed. 3. A file on disk
that equals its description stays. Otherwise a regular file is requested from the client, and anything
   else is created.
4. Hard links and the times of directories come last, when all files are complete.
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
    """A directory whose entries are being described. `left` are the files on disk that were not described yet, None
    while the directory is not created, which waits for the first chosen entry; `last` is the latest name."""

    __slots__ = ("entry", "last", "left", "path", "real")

    def __init__(self, path: bytes, real: bytes, entry: Entry | None) -> None:
        self.path = path
        self.real = real
        self.entry = entry
        self.left: dict[bytes, os.stat_result] | None = None
        self.last = b""


class ReceivedTree:
    """The tree at `root`. Without `compare`, every file is requested again. `chosen` tells by path which entries to
    create; other directories are created for chosen entries only. `request` is called with number and entry of each
    regular file whose bytes are needed; its path is free then."""

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

    def describe(self, description: Stat) -> None:
        """Process the next entry of the walk. Raises TransferFailed."""
        number, self._count = self._count, self._count + 1
        path = _checked(description.path)
        parent, _, name = path.rpartition(b"/")
        directory = self._enter(parent, path)
        if name <= directory.last:
            raise errors.out_of_order(directory.last, path)
        directory.last = name
        entry = Entry(path, directory.real + b"/" + name, description)
        try:
            if stat.S_ISDIR(entry.mode):
                self._open.append(OpenDirectory(path, entry.real, entry))
            if self._chosen is None or self._chosen(path):
                self._place(number, entry, name, directory)
        except OSError as error:
            raise errors.not_written(path, error) from None

    def finish(self, keep: bytes = b"") -> None:
        """Complete the tree, after the walk and when all files are written. `keep` is the name of a file in the
        root that is not the client's. Raises TransferFailed."""
        try:
            left = self._open[0].left
            assert left is not None
            left.pop(keep, None)
            self._close_to(0)
            _close(self._open[0])
            for entry in self._links:
                self._link(entry)
            # From the bottom up, and only where needed: each change in a directory changes its time.
            for entry in reversed(self._directories):
                if os.stat(entry.real).st_mtime_ns != entry.mtime:
                    os.utime(entry.real, ns=(entry.mtime, entry.mtime))
        except OSError as error:
            raise errors.not_written(os.fsencode(error.filename or b""), error) from None

    # Directories

    def _enter(self, parent: bytes, path: bytes) -> OpenDirectory:
        """Return the open directory `parent`, and close those below it."""
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

    def _create(self, directory: OpenDirectory) -> dict[bytes, os.stat_result]:
        """Return the files left in an open directory, creating it and those above it if need be."""
        if directory.left is None:
            at = self._open.index(directory)
            above = self._create(self._open[at - 1])
            entry = directory.entry
            assert entry is not None
            self._directory(directory, entry, above.pop(entry.real.rpartition(b"/")[2], None))
        assert directory.left is not None
        return directory.left

    def _directory(self, directory: OpenDirectory, entry: Entry, status: os.stat_result | None) -> None:
        if status is not None and stat.S_ISDIR(status.st_mode):
            if not entry.described(status):
                entry.describe()
            directory.left = _listed(entry.real)
        else:
            entry.clear(status)
            os.mkdir(entry.real, 0o700)
            entry.describe()
            directory.left = {}
        self._directories.append(entry)

    # Entries

    def _place(self, number: int, entry: Entry, name: bytes, directory: OpenDirectory) -> None:
        left = directory.left if directory.left is not None else self._create(directory)
        kind = entry.kind
        if kind == stat.S_IFDIR:
            self._create(self._open[-1])
            return
        status = left.pop(name, None)
        if kind == stat.S_IFREG:
            if entry.link:
                self._links.append(entry)
            elif not self._unchanged(entry, status):
                entry.clear(status)
                self._request(number, entry)
        elif kind == stat.S_IFSOCK:
            entry.clear(status)  # useless without the process that listens on it
        elif status is None or not entry.same(status):
            entry.clear(status)
            entry.make()

    def _unchanged(self, entry: Entry, status: os.stat_result | None) -> bool:
        """Report whether a regular file on disk equals the client's. Two files that are no hard links at the client
        can have one inode on disk, if they were links in an earlier transfer: only the first of them stays."""
        if status is None or not self._compare or not entry.same(status):
            return False
        if status.st_nlink > 1:
            if status.st_ino in self._inodes:
                return False
            self._inodes.add(status.st_ino)
        return True

    def _link(self, entry: Entry) -> None:
        """Create a hard link to a file that came earlier in the walk."""
        target = _checked(entry.link)
        # By components, which is the order of the walk.
        if target.split(b"/") >= entry.path.split(b"/"):
            raise errors.bad_link(entry.path, entry.link)
        real = self._inside(target)
        if real is None:
            raise errors.bad_link(entry.path, entry.link)
        there = os.lstat(real)
        status = os.lstat(entry.real) if os.path.lexists(entry.real) else None
        if status is not None and (status.st_dev, status.st_ino) == (there.st_dev, there.st_ino):
            return
        entry.clear(status)
        os.link(real, entry.real, follow_symlinks=False)

    def _inside(self, path: bytes) -> bytes | None:
        """Return the real path of a regular file, None if it is missing or a symlink is on the way."""
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
    """Return a path of the client's if it stays below the root. Raises TransferFailed."""
    if b"\0" in path or any(part in (b"", b".", b"..") for part in path.split(b"/")):
        raise errors.bad_path(path)
    return path


def _listed(real: bytes) -> dict[bytes, os.stat_result]:
    with os.scandir(real) as entries:
        return {entry.name: entry.stat(follow_symlinks=False) for entry in entries}


def _close(directory: OpenDirectory) -> None:
    """Remove the files of a directory that were not described."""
    for name, status in (directory.left or {}).items():
        real = directory.real + b"/" + name
        if stat.S_ISDIR(status.st_mode):
            remove_tree(real)
        else:
            os.unlink(real)
