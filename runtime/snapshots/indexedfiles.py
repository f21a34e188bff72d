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
    from pybuild.runtime.snapshots.types import Node, Snapshotter, Tree


def take_over(active: IndexActive, directory: bytes) -> None:
    """Add everything in `directory` to the state; what belongs to this process's user or group is root's there."""
    status, root = os.lstat(directory), active.root
    root.mtime, root.mode = status.st_mtime_ns, status.st_mode
    if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
        root.uid, root.gid = status.st_uid, status.st_gid
    inodes: dict[tuple[int, int], Entry] = {}
    for node in DirectoryTree(directory).walk(b""):
        parent, _, name = node.path.rpartition(b"/")
        inode = (node.stat.st_dev, node.stat.st_ino)
        entry = inodes.get(inode)
        if entry is not None:
            entry.names += 1
        else:
            entry = taken(active, node, ours=True)
            if not isinstance(entry, Directory) and node.stat.st_nlink > 1:
                inodes[inode] = entry
        active.directory(parent).children[name] = entry


def lay_files(active: IndexActive, snapshotter: Snapshotter, snapshot: int) -> None:
    """Apply the diff of an ordinary snapshot, whose files have the owners that they show. Raises OSError."""
    tree = snapshotter.tree(snapshot)
    inodes: dict[tuple[int, int], Entry] = {}
    deleted: list[bytes] = []
    root = tree.resolve(b"").node
    assert root is not None
    _describe(active.root, root)
    for change in snapshotter.changes(snapshot):
        above, _, name = change.path.rpartition(b"/")
        children = _led(active, tree, above).children
        if change.node is None:
            children.pop(name, None)
            deleted.append(change.path)
            continue
        status, there = change.node.stat, children.get(name)
        inode = (status.st_dev, status.st_ino)
        if stat.S_ISDIR(status.st_mode) and isinstance(there, Directory) and not change.opaque:
            _describe(active.own(_led(active, tree, above), name, there), change.node)
        elif (entry := inodes.get(inode)) is not None:
            entry.names += 1
            children[name] = entry
        else:
            entry = children[name] = taken(active, change.node, ours=False)
            if not isinstance(entry, Directory) and status.st_nlink > 1:
                inodes[inode] = entry
    if active.parent is None:
        active.deleted = deleted


def _led(active: IndexActive, tree: Tree, path: bytes) -> Directory:
    """Return the directory `path` to be changed; the missing ones above are as in `tree`."""
    here = active.root
    walked = b""
    for name in path.split(b"/") if path else ():
        walked = walked + b"/" + name if walked else name
        there = here.children.get(name)
        if isinstance(there, Directory):
            here = active.own(here, name, there)
            continue
        made = active.make(stat.S_IFDIR | 0o755, 0, 0, 0)
        assert isinstance(made, Directory)
        node = tree.lstat(walked)
        if node is not None:
            _describe(made, node)
        here.children[name] = made
        here = made
    return here


def _describe(directory: Directory, node: Node) -> None:
    status = node.stat
    directory.mode, directory.mtime = status.st_mode, status.st_mtime_ns
    directory.uid, directory.gid = status.st_uid, status.st_gid
    directory.attributes = tuple(node.attributes())


def taken(active: IndexActive, node: Node, *, ours: bool) -> Entry:
    """Return a node of another kind of tree as an entry of `active`. What belongs to this process's user or group is
    root's there if it is `ours`."""
    status = node.stat
    uid = 0 if ours and status.st_uid == os.geteuid() else status.st_uid
    gid = 0 if ours and status.st_gid == os.getegid() else status.st_gid
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
