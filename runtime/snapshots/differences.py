"""The changes in a snapshot: read from an overlay's upper directory, or by comparing whole trees."""

from __future__ import annotations

import os
import stat

from pybuild.runtime.snapshots.tree import is_opaque, is_whiteout
from pybuild.runtime.snapshots.types import Change, Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybuild.runtime.snapshots.tree import LayeredTree, PathTree, Stack

CHUNK = 1 << 20


def overlay_changes(
    upper: bytes, below: LayeredTree | None, opaque: str, *, times: bool = True
) -> Iterator[Change]:
    """Yield the changes that upper directory `upper` makes to the state `below`; `opaque` is the attribute of
    opaque marks.

    The kernel leaves more in an upper directory than changes: a directory that only leads to a change is none, and
    a whiteout that hides nothing is none. An opaque directory gives a deletion for each entry below that it hides
    and does not have itself, as in BuildKit's differ; laid over another state it must hide nothing else. With
    `times` false, a directory that differs in its time only is not a change."""
    # One frame for each directory on the way down: its remaining entries, the prefix of their paths, the directory
    # of `below` with the same path, and whether an opaque mark further up hides that one.
    start: Stack = below.layers if below is not None else ()
    pending = [(iter(_entries(upper, below, start, hides=False)), b"", start, False)]
    while pending:
        entries, prefix, beneath, hidden = pending[-1]
        for name, real, status in entries:
            path = prefix + name
            old = below.find(beneath, name) if below is not None and beneath else None
            if status is None or is_whiteout(status):
                if old is not None:
                    yield Change("delete", path)
                continue
            node = Node(path, real, status)
            if not stat.S_ISDIR(status.st_mode):
                yield Change("add", path, node)
                continue
            hides = marked = False
            inside: Stack = ()
            if below is not None and old is not None and stat.S_ISDIR(old[1].st_mode):
                marked = is_opaque(real, opaque)
                hides = hidden or marked
                inside = below.descend(beneath, name, old[2], path)
            if (
                hides
                or not inside
                or old is None
                or not _same_directory(node, Node(path, old[0], old[1]), times)
            ):
                yield Change("add", path, node, opaque=marked)
            pending.append((iter(_entries(real, below, inside, hides=hides)), path + b"/", inside, hides))
            break
        else:
            pending.pop()


def _entries(
    directory: bytes, below: LayeredTree | None, beneath: Stack, *, hides: bool
) -> list[tuple[bytes, bytes, os.stat_result | None]]:
    """The entries of an upper directory as (name, path, lstat), ordered by name. If it hides the merged directory
    `beneath`, that one's other entries are among them, with None as lstat."""
    entries: list[tuple[bytes, bytes, os.stat_result | None]] = list(_scan(directory))
    if hides and below is not None:
        present = {name for name, _, _ in entries}
        names = (node.path for node, _ in below.entries(b"", beneath))
        entries += [(name, b"", None) for name in names if name not in present]
        entries.sort(key=_by_name)
    return entries


def tree_changes(
    old: PathTree, new: PathTree, copied: tuple[int, int] | None, *, times: bool = True
) -> Iterator[Change]:
    """Yield the changes that turn tree `old` into tree `new`.

    If `new` began as a copy of `old`, `copied` are the file system's times (ns) before and after the copying: a
    file whose inode last changed between the two has not been written since. Other files of equal size and
    metadata are compared byte by byte. If a file gained or lost a name within the tree, all its names are changes,
    so that the diff shows which are links to one another."""
    relinked = _relinked(old, new)
    before, after = old.walk(b""), new.walk(b"")
    left, right = next(before, None), next(after, None)
    gone = replaced = b""
    while left is not None or right is not None:
        if left is not None and (right is None or path_order(left.path) < path_order(right.path)):
            if not any(above and left.path.startswith(above) for above in (gone, replaced)):
                yield Change("delete", left.path)
                gone = left.path + b"/"
            left = next(before, None)
            continue
        assert right is not None
        same = left is not None and left.path == right.path
        if left is None or not same:
            yield Change("add", right.path, right)
        else:
            if stat.S_ISDIR(left.stat.st_mode) and not stat.S_ISDIR(right.stat.st_mode):
                replaced = left.path + b"/"
            if right.path in relinked or not _same(left, right, copied, times):
                yield Change("add", right.path, right)
            left = next(before, None)
        right = next(after, None)


def path_order(path: bytes) -> list[bytes]:
    """A sort key for the order in which a walk meets paths."""
    # A directory's content follows it at once, so names compare one by one: `a/b` comes before `a-`, though "-" is
    # less than "/".
    return path.split(b"/")


def _relinked(old: PathTree, new: PathTree) -> set[bytes]:
    """Paths in either tree at which the set of names of the same file differs."""
    before, after = _links(old), _links(new)
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


def _links(tree: PathTree) -> dict[bytes, frozenset[bytes]]:
    """Map each path of a file with several names in the tree to all of them."""
    groups: dict[tuple[int, int], list[bytes]] = {}
    for node in tree.walk(b""):
        if node.stat.st_nlink > 1 and not stat.S_ISDIR(node.stat.st_mode):
            groups.setdefault((node.stat.st_dev, node.stat.st_ino), []).append(node.path)
    return {path: frozenset(paths) for paths in groups.values() if len(paths) > 1 for path in paths}


def _same(left: Node, right: Node, copied: tuple[int, int] | None, times: bool) -> bool:
    if stat.S_ISDIR(left.stat.st_mode) and stat.S_ISDIR(right.stat.st_mode):
        return _same_directory(right, left, times)
    a, b = left.stat, right.stat
    if (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino):
        return True
    if (a.st_mode, a.st_uid, a.st_gid, a.st_rdev) != (b.st_mode, b.st_uid, b.st_gid, b.st_rdev):
        return False
    if times and a.st_mtime_ns != b.st_mtime_ns:
        return False
    if stat.S_ISLNK(a.st_mode):
        return left.readlink() == right.readlink()
    if a.st_size != b.st_size and stat.S_ISREG(a.st_mode):
        return False
    if left.attributes() != right.attributes():
        return False
    if not stat.S_ISREG(a.st_mode):
        return True
    if copied is not None and a.st_mtime_ns == b.st_mtime_ns and copied[0] <= b.st_ctime_ns <= copied[1]:
        return True
    return _same_bytes(left, right)


def _same_directory(node: Node, other: Node, times: bool) -> bool:
    a, b = node.stat, other.stat
    return (
        (a.st_mode, a.st_uid, a.st_gid) == (b.st_mode, b.st_uid, b.st_gid)
        and (not times or a.st_mtime_ns == b.st_mtime_ns)
        and node.attributes() == other.attributes()
    )


def _same_bytes(left: Node, right: Node) -> bool:
    with left.content() as one, right.content() as other:
        while True:
            a, b = one.read(CHUNK), other.read(CHUNK)
            if a != b:
                return False
            if not a:
                return True


def _scan(directory: bytes) -> list[tuple[bytes, bytes, os.stat_result]]:
    with os.scandir(directory) as scan:
        entries = [(entry.name, entry.path, entry.stat(follow_symlinks=False)) for entry in scan]
    entries.sort()
    return entries


def _by_name(entry: tuple[bytes, bytes, os.stat_result | None]) -> bytes:
    return entry[0]
