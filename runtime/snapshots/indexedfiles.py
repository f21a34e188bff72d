"""Files of a directory on the disk, taken into a snapshot of index entries."""

from __future__ import annotations

import os
import stat

from pybuild.runtime.snapshots.copies import copy_data
from pybuild.runtime.snapshots.index import Directory, Entry
from pybuild.runtime.snapshots.tree import DirectoryTree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.snapshots.indexactive import IndexActive
    from pybuild.runtime.snapshots.types import Node


def take_over(active: IndexActive, directory: bytes) -> None:
    """Add everything in `directory` to the state; what belongs to this process's user or group is root's there."""
    status = os.lstat(directory)
    active.root.mtime = status.st_mtime_ns
    active.root.mode = status.st_mode
    inodes: dict[tuple[int, int], Entry] = {}
    for node in DirectoryTree(directory).walk(b""):
        parent, _, name = node.path.rpartition(b"/")
        inode = (node.stat.st_dev, node.stat.st_ino)
        entry = inodes.get(inode)
        if entry is not None:
            entry.names += 1
        else:
            entry = taken(active, node)
            if not isinstance(entry, Directory) and node.stat.st_nlink > 1:
                inodes[inode] = entry
        active.directory(parent).children[name] = entry


def taken(active: IndexActive, node: Node) -> Entry:
    """Return a node of another kind of tree as an entry of `active`."""
    status = node.stat
    uid = 0 if status.st_uid == os.geteuid() else status.st_uid
    gid = 0 if status.st_gid == os.getegid() else status.st_gid
    entry = active.make(status.st_mode, uid, gid, status.st_mtime_ns)
    entry.attributes = tuple(node.attributes())
    if stat.S_ISREG(status.st_mode):
        with node.content() as content:
            active.fill(entry, lambda fd: copy_data(content, fd, status.st_size))
    elif stat.S_ISLNK(status.st_mode):
        entry.link = node.readlink()
        entry.size = len(entry.link)
    elif not stat.S_ISDIR(status.st_mode):
        entry.device = status.st_rdev
    return entry
