"""Indexes unpacked into ordinary snapshots."""

from __future__ import annotations

import os
import stat

from pybuild.runtime.image.indexes import open_indexes
from pybuild.runtime.snapshots.copies import copy_data
from pybuild.runtime.snapshots.index import OPAQUE, Directory
from pybuild.runtime.snapshots.indextree import IndexNode
from pybuild.runtime.snapshots.stacking import note_deletions
from pybuild.runtime.snapshots.upper import hide, make_directory, make_opaque_directory, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.content.store import Store
    from pybuild.runtime.snapshots.index import Entry
    from pybuild.runtime.snapshots.indexing import IndexSnapshotter
    from pybuild.runtime.snapshots.types import Active, Snapshotter


def unpack_index(store: Store, snapshot: int, snapshotter: Snapshotter, parent: int | None) -> int:
    """Make the snapshot of an ordinary kind over `parent` that index `snapshot` is over its own parent. Devices that
    this process may not make are left out. Raises OSError, UserError."""
    active = snapshotter.prepare(parent)
    try:
        _Unpacking(open_indexes(store), snapshotter, active).run(snapshot)
        return active.commit()
    finally:
        active.abort()


class _Unpacking:
    """The unpacking of one index into a snapshot under construction."""

    def __init__(self, source: IndexSnapshotter, snapshotter: Snapshotter, active: Active) -> None:
        self._source = source
        self._snapshotter = snapshotter
        self._active = active
        self._directories: dict[bytes, Entry] = {}
        self._links: dict[int, bytes] = {}

    def run(self, snapshot: int) -> None:
        index = self._source.index(snapshot)
        deleted: list[bytes] = []
        lead: set[bytes] = {b""}
        tree = self._source.tree(snapshot)
        for record in index.records:
            self._lead(tree.root, record.path.rpartition(b"/")[0], lead)
            if record.entry is None:
                hide(self._snapshotter, self._active, record.path)
                deleted.append(record.path)
            elif isinstance(record.entry, Directory):
                make = make_opaque_directory if record.flags & OPAQUE else make_directory
                make(self._snapshotter, self._active, record.path)
                self._directories[record.path] = record.entry
                lead.add(record.path)
            else:
                self._make(record.path, record.entry)
        self._directories[b""] = index.root
        # Last, and those inside first: a mode may forbid to enter, and whatever is made changes a directory's time.
        for path, entry in sorted(self._directories.items(), reverse=True):
            self._finish(self._active.upper + b"/" + path if path else self._active.upper, entry)
        if self._active.parent is None and deleted:
            note_deletions(self._active, deleted)

    def _lead(self, root: Directory, path: bytes, lead: set[bytes]) -> None:
        """Bring the directories that lead to a change into the upper directory, as they are in the state."""
        if path in lead:
            return
        here: Entry = root
        walked = b""
        for name in path.split(b"/"):
            walked = walked + b"/" + name if walked else name
            assert isinstance(here, Directory)
            below = here.children.get(name)
            if below is None:
                return  # it leads to a deletion of what is not there
            here = below
            if walked not in lead:
                lead.add(walked)
                make_directory(self._snapshotter, self._active, walked)
                self._directories[walked] = here

    def _make(self, path: bytes, entry: Entry) -> None:
        target = replace(self._snapshotter, self._active, path)
        earlier = self._links.get(entry.inode)
        if earlier is not None:
            os.link(earlier, target, follow_symlinks=False)
            return
        mode = entry.mode
        if stat.S_ISREG(mode):
            with IndexNode(path, entry, self._source.open).content() as content:
                sink = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                try:
                    copy_data(content, sink, entry.size)
                finally:
                    os.close(sink)
        elif stat.S_ISLNK(mode):
            os.symlink(entry.link, target)
        else:
            try:
                os.mknod(target, mode, entry.device)
            except PermissionError:
                return
        self._finish(target, entry)
        if entry.names > 1:
            self._links[entry.inode] = target

    def _finish(self, target: bytes, entry: Entry) -> None:
        # Owner before mode and attributes: chown clears set-id bits and file capabilities.
        os.chown(target, entry.uid, entry.gid, follow_symlinks=False)
        if not stat.S_ISLNK(entry.mode):
            os.chmod(target, stat.S_IMODE(entry.mode))
        for name, value in entry.attributes:
            os.setxattr(target, name, value, follow_symlinks=False)
        os.utime(target, ns=(entry.mtime, entry.mtime), follow_symlinks=False)
