"""Writes to a snapshot under construction that is a list of entries: nothing but contents goes to the disk."""

from __future__ import annotations

import stat

from pybuild.runtime.ops.files.failures import is_a_directory
from pybuild.runtime.ops.files.writer import Writer, unknown
from pybuild.runtime.snapshots.index import Directory
from pybuild.runtime.snapshots.indextree import IndexNode, IndexTree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.ops.files.owners import Owner
    from pybuild.runtime.ops.files.writer import Attributes, Fill, Known
    from pybuild.runtime.snapshots.index import Entry
    from pybuild.runtime.snapshots.indexactive import IndexActive
    from pybuild.runtime.snapshots.types import Content, Node


class IndexWriter(Writer):
    """The writer for snapshots of index entries."""

    def __init__(self, active: IndexActive) -> None:
        self._active = active
        self.tree = IndexTree(active.root, active.open)

    # Directories

    def enter(self, path: bytes) -> bool:
        self._active.directory(path)
        return False

    def mkdir(
        self, path: bytes, mode: int, owner: Owner | None, mtime: int | None, *, exact: bool = False
    ) -> None:
        above, name = self._at(path)
        self._drop(above, name)
        inherited = above.mode & stat.S_ISGID
        made = self._made(above, stat.S_IFDIR | mode | (0 if exact else inherited), owner, mtime)
        above.children[name] = made

    def set_owner(self, path: bytes, owner: Owner) -> None:
        directory = self._active.directory(path)
        directory.uid, directory.gid = owner

    def set_mode(self, path: bytes, mode: int) -> None:
        self._active.directory(path).mode = stat.S_IFDIR | mode

    def set_attributes(self, path: bytes, attributes: Attributes) -> None:
        if attributes:
            directory = self._active.directory(path)
            directory.attributes = tuple(sorted({**dict(directory.attributes), **dict(attributes)}.items()))

    def set_time(self, path: bytes, mtime: int) -> None:
        self._active.directory(path).mtime = mtime

    # Places

    def make_room(self, path: bytes, *, directories: bool = False) -> None:
        above, name = self._at(path)
        if not path or (isinstance(above.children.get(name), Directory) and not directories):
            raise is_a_directory(path)
        self._drop(above, name)

    def remove(self, path: bytes) -> None:
        self._drop(*self._at(path))

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
        above, name = self._at(path)
        entry = self._made(above, stat.S_IFREG | mode, owner, None)

        def write(fd: int) -> None:
            mtime = fill(fd)
            if mtime is not None:
                entry.mtime = mtime

        self._active.fill(entry, write, digest)
        entry.attributes = tuple(attributes)
        above.children[name] = entry

    def file_like(self, path: bytes, node: Node) -> bool:
        entry = self._active.adopt(node) if isinstance(node, IndexNode) else None
        if entry is None:
            return False
        above, name = self._at(path)
        above.children[name] = entry
        return True

    def file_again(self, path: bytes, digest: bytes, size: int, mode: int, owner: Owner, mtime: int) -> bool:
        return False

    def symlink(
        self,
        path: bytes,
        target: bytes,
        owner: Owner | None,
        mtime: int | None,
        attributes: Attributes = (),
    ) -> None:
        above, name = self._at(path)
        entry = self._made(above, stat.S_IFLNK | 0o777, owner, mtime)
        entry.link = target
        entry.size = len(target)
        above.children[name] = entry

    def special(
        self, path: bytes, mode: int, device: int, owner: Owner, mtime: int, attributes: Attributes
    ) -> None:
        above, name = self._at(path)
        entry = self._made(above, mode, owner, mtime)
        entry.device = device
        above.children[name] = entry

    def link(self, first: bytes, path: bytes) -> None:
        directory, name = self._at(first)
        entry = directory.children[name]
        entry.names += 1
        above, name = self._at(path)
        above.children[name] = entry

    def unarchive(self, file: Content, path: bytes, archive: str, owner: Owner | None) -> None:
        from pybuild.runtime.image.decompression import pull_decompressed
        from pybuild.runtime.image.indexextract import read_archive

        read_archive(pull_decompressed(file, name=archive), self._active, path, archive, owner)

    # The end

    def finish(self) -> None:
        """Do nothing: times of directories don't change by what is written to them."""

    def reset(self) -> None:
        """Do nothing: the state itself tells what a directory has."""

    # Parts

    def _at(self, path: bytes) -> tuple[Directory, bytes]:
        """Return the directory of an entry, to be changed, and the entry's name."""
        above, _, name = path.rpartition(b"/")
        return self._active.directory(above), name

    def _made(self, above: Directory, mode: int, owner: Owner | None, mtime: int | None) -> Entry:
        """Return a new entry for a directory. Without an owner it is root's, with the group that a kernel gives."""
        uid, gid = owner or (0, above.gid if above.mode & stat.S_ISGID else 0)
        return self._active.make(mode, uid, gid, mtime)

    def _drop(self, above: Directory, name: bytes) -> None:
        entry = above.children.pop(name, None)
        if entry is not None and entry.owner is self._active and entry.names > 1:
            entry.names -= 1
