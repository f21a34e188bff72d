"""Read a directory while processes change it.

A process may put a symlink where a directory was found a moment before, to have another file of this machine read.
Therefore each directory is opened part by part from the root, without following links, and what it contains is
reached through its descriptor.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager

from pybuild.runtime.snapshots.tree import PathTree
from pybuild.runtime.snapshots.types import Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pybuild.runtime.snapshots.types import Content

    Place = tuple[bytes, ...]


def open_directory(root: bytes, names: Iterable[bytes]) -> int:
    """Open the directory that `names` lead to from `root`, without following symlinks, and return the descriptor.
    The directory is inside the root even if processes change it meanwhile. Raises OSError: ELOOP or ENOTDIR for a
    symlink."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    here = os.open(root, flags)
    for name in names:
        above = here
        try:
            here = os.open(name, flags, dir_fd=above)
        finally:
            os.close(above)
    return here


class LiveNode(Node):
    """An entry below the directory `root`, with the `lstat` that it had when it was found."""

    __slots__ = ("_root",)

    def __init__(self, root: bytes, path: bytes, stat: os.stat_result) -> None:
        super().__init__(path, root + b"/" + path, stat)
        self._root = root

    def open(self) -> int:
        """Return an O_PATH descriptor of the entry, also of a symlink; the caller closes it. Raises OSError."""
        with self._reached() as node:
            return os.open(node.real, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)

    def content(self) -> Content:
        with self._reached() as node:
            return node.content()

    def readlink(self) -> bytes:
        with self._reached() as node:
            return node.readlink()

    def attributes(self) -> Sequence[tuple[str, bytes]]:
        with self._reached() as node:
            return node.attributes()

    @contextmanager
    def _reached(self) -> Iterator[Node]:
        """Yield the entry as a node whose path on the disk starts from its directory's descriptor. Raises OSError."""
        *above, name = self.path.split(b"/")
        directory = open_directory(self._root, above)
        try:
            yield Node(self.path, b"/proc/self/fd/%d/%s" % (directory, name or b"."), self.stat)
        finally:
            os.close(directory)


class LiveTree(PathTree):
    """The present state of the directory `root`. A directory's place is the names that lead to it, after a first
    empty one."""

    __slots__ = ("_directory",)

    def __init__(self, root: bytes) -> None:
        self._directory = root

    def _root(self) -> tuple[Node | None, Place]:
        return LiveNode(self._directory, b"", os.lstat(self._directory)), (b"",)

    def _step(
        self, names: Sequence[bytes], node: Node | None, place: Place, name: bytes
    ) -> tuple[Node | None, Place]:
        if node is None or b"\0" in name:
            return None, ()
        directory = open_directory(self._directory, names)
        try:
            status = os.lstat(name, dir_fd=directory)
        except FileNotFoundError:
            return None, ()
        finally:
            os.close(directory)
        return self._found((b"", *names, name), status)

    def stack(self, path: bytes) -> Place:
        names = path.split(b"/") if path else ()
        os.close(open_directory(self._directory, names))
        return (b"", *names)

    def entries(self, path: bytes, stack: Place) -> list[tuple[Node, Place]]:
        directory = open_directory(self._directory, stack[1:])
        try:
            with os.scandir(directory) as scan:
                found = sorted((os.fsencode(one.name), one.stat(follow_symlinks=False)) for one in scan)
        finally:
            os.close(directory)
        return [self._found((*stack, name), status) for name, status in found]

    def _found(self, names: Place, status: os.stat_result) -> tuple[Node, Place]:
        place = names if stat.S_ISDIR(status.st_mode) else ()
        return LiveNode(self._directory, b"/".join(names[1:]), status), place
