"""Merges and differences of states of index entries, with the results of `stacking.py`."""

from __future__ import annotations

from pybuild.lang.diagnostics import Cancelled
from pybuild.runtime.snapshots.copies import copy_data
from pybuild.runtime.snapshots.differences import tree_changes
from pybuild.runtime.snapshots.index import Directory, Entry
from pybuild.runtime.snapshots.indexstates import set_metadata
from pybuild.runtime.snapshots.indextree import IndexNode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pybuild.runtime.snapshots.committed import Cancel
    from pybuild.runtime.snapshots.indexactive import IndexActive, Indexes
    from pybuild.runtime.snapshots.indextree import IndexTree
    from pybuild.runtime.snapshots.types import Change


def lay_over(snapshotter: Indexes, parent: int | None, origin: int, cancelled: Cancel) -> int:
    """Lay the diff of `origin` over `parent` and return the resulting snapshot. Raises as `Snapshotter.stack`."""
    active = snapshotter.prepare(parent)
    try:
        active.origin = origin
        lay(active, snapshotter.changes(origin), snapshotter.tree(origin), cancelled)
        return active.commit(origin=origin)
    finally:
        active.abort()  # does nothing after a commit


def lay_difference(snapshotter: Indexes, lower: int | None, upper: int | None, cancelled: Cancel) -> int:
    """Make a snapshot over the empty root whose diff turns `lower` into `upper`. Raises as
    `Snapshotter.difference`."""
    old, new = snapshotter.tree(lower), snapshotter.tree(upper)
    active = snapshotter.prepare(None)
    try:
        active.deleted = lay(active, tree_changes(old, new, None), new, cancelled)
        return active.commit()
    finally:
        active.abort()


def lay(
    active: IndexActive, changes: Iterable[Change], source: IndexTree, cancelled: Cancel = None
) -> list[bytes]:
    """Apply changes that lead to the state `source`, and return the paths of deletions. Directories that lead to a
    change take the metadata they have there."""
    copies: dict[int, Entry] = {}
    made = {b""}
    deleted: list[bytes] = []
    for change in changes:
        if cancelled is not None and cancelled():
            raise Cancelled
        parent, _, name = change.path.rpartition(b"/")
        _lead(active, parent, source, made)
        directory = active.directory(parent)
        if change.node is None:
            directory.children.pop(name, None)
            deleted.append(change.path)
            continue
        assert isinstance(change.node, IndexNode)
        there, entry = directory.children.get(name), change.node.entry
        if isinstance(entry, Directory):
            _directory(active, directory, name, entry)
            made.add(change.path)
            continue
        earlier = copies.get(entry.inode)
        if earlier is not None:
            earlier.names += 1
        else:
            earlier = copies[entry.inode] = _taken(active, change.node)
        if there is not None and there.owner is active and there.names > 1:
            there.names -= 1
        directory.children[name] = earlier
    return deleted


def _lead(active: IndexActive, path: bytes, source: IndexTree, made: set[bytes]) -> None:
    """Make directory `path`, which leads to a change, and those above it."""
    if path in made:
        return
    here, at = active.root, source.root
    walked = b""
    for name in path.split(b"/"):
        walked = walked + b"/" + name if walked else name
        entry = at.children[name]
        assert isinstance(entry, Directory)
        if walked not in made:
            made.add(walked)
            _directory(active, here, name, entry)
        child = here.children[name]
        assert isinstance(child, Directory)
        here, at = active.own(here, name, child), entry


def _directory(active: IndexActive, above: Directory, name: bytes, entry: Directory) -> None:
    there = above.children.get(name)
    if isinstance(there, Directory):
        directory = active.own(above, name, there)
    else:
        directory = Directory(0o755, 0, 0, 0, active)
        above.children[name] = directory
    set_metadata(directory, entry)


def _taken(active: IndexActive, node: IndexNode) -> Entry:
    """Return a node's entry for `active`, with its contents where they may go away."""
    entry = active.adopt(node)
    if entry is None:
        entry = node.entry.copy(active)
        with node.content() as content:
            active.fill(entry, lambda fd: copy_data(content, fd, node.entry.size), node.digest)
    return entry
