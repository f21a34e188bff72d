"""Read access to states of index entries."""

from __future__ import annotations

import errno
import os

from pybuild.runtime.snapshots.index import Directory
from pybuild.runtime.snapshots.tree import PathTree
from pybuild.runtime.snapshots.types import Content, Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pybuild.runtime.snapshots.index import Entry, Place

    Open = Callable[[Place], int]


class IndexNode(Node):
    """A node that is `entry` of an index; `open` opens the file in which contents lie."""

    __slots__ = ("_open", "entry")

    def __init__(self, path: bytes, entry: Entry, open: Open) -> None:
        super().__init__(path, b"", entry.status())
        self.entry = entry
        self._open = open

    def content(self) -> Content:
        place = self.entry.place
        if place is None:
            raise OSError(errno.EINVAL, "no regular file", os.fsdecode(self.path))
        return Content(self._open(place), place.offset, self.entry.size)

    def readlink(self) -> bytes:
        return self.entry.link

    def attributes(self) -> Sequence[tuple[str, bytes]]:
        return self.entry.attributes

    def digest(self) -> bytes:
        return self.entry.digest


class IndexTree(PathTree):
    """The state below the directory `root`. Thread-safe unless the state is under construction."""

    __slots__ = ("_open", "root")

    def __init__(self, root: Directory, open: Open) -> None:
        self.root = root
        self._open = open

    def _root(self) -> tuple[Node | None, Directory | None]:
        return IndexNode(b"", self.root, self._open), self.root

    def _step(
        self, names: Sequence[bytes], node: Node | None, place: Directory | None, name: bytes
    ) -> tuple[Node | None, Directory | None]:
        entry = None if place is None else place.children.get(name)
        if entry is None:
            return None, None
        return self._node(b"/".join((*names, name)), entry)

    def stack(self, path: bytes) -> Directory:
        here = self.root
        for name in path.split(b"/") if path else ():
            entry = here.children.get(name)
            if not isinstance(entry, Directory):
                code = errno.ENOENT if entry is None else errno.ENOTDIR
                raise OSError(code, os.strerror(code), os.fsdecode(path))
            here = entry
        return here

    def entries(self, path: bytes, stack: Directory) -> list[tuple[Node, Directory | None]]:
        prefix = path + b"/" if path else b""
        return [self._node(prefix + name, entry) for name, entry in sorted(stack.children.items())]

    def _node(self, path: bytes, entry: Entry) -> tuple[Node, Directory | None]:
        return IndexNode(path, entry, self._open), entry if isinstance(entry, Directory) else None
