"""What a snapshot changed: from an overlay's upper directory, or by comparing whole trees."""

from __future__ import annotations

import os
import stat

from pybuild.runtime.snapshots.contents import attributes
from pybuild.runtime.snapshots.tree import is_opaque, is_whiteout
from pybuild.runtime.snapshots.types import Change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybuild.runtime.snapshots.tree import DirectoryTree, LayeredTree, Stack
    from pybuild.runtime.snapshots.types import Node

CHUNK = 1 << 20


def overlay_changes(
    upper: bytes, below: LayeredTree | None, opaque: str, *, times: bool = True
) -> Iterator[Change]:
    """The content of `upper` as changes of the state `below`.

    The kernel leaves more in an upper directory than what changed: directories that only lead to a change are
    no changes, and whiteouts and opaque marks count where they hide something. Without `times` a directory
    that differs in its time alone is not one either."""
    pending = [(iter(_scan(upper)), b"", below.layers if below is not None else ())]
    while pending:
        entries, prefix, beneath = pending[-1]
        for name, real, found in entries:
            path = prefix + name
            old = below.find(beneath, name) if below is not None and beneath else None
            if is_whiteout(found):
                if old is not None:
                    yield Change("delete", path)
                continue
            if not stat.S_ISDIR(found.st_mode):
                yield Change("add", path, real, found)
                continue
            hides = False
            inside: Stack = ()
            if below is not None and old is not None and stat.S_ISDIR(old[1].st_mode):
                hides = is_opaque(real, opaque)
                inside = () if hides else below.descend(beneath, name, old[2], path)
            if hides or not inside or old is None or not _same_directory(real, found, old[0], old[1], times):
                yield Change("add", path, real, found)
            if hides:
                yield Change("opaque", path)
            pending.append((iter(_scan(real)), path + b"/", inside))
            break
        else:
            pending.pop()


def tree_changes(
    old: DirectoryTree, new: DirectoryTree, copied: tuple[int, int] | None, *, times: bool = True
) -> Iterator[Change]:
    """The changes that make tree `new` of tree `old`, of which it began as a copy.

    `copied` are the file system's times (ns) before and after that copy: a file whose inode last changed
    between the two has not been written since. Other files of equal size and metadata are compared byte by
    byte. Files whose links within the tree changed are changes all of them, so that the links can be told
    from the diff."""
    relinked = _relinked(old, new)
    before, after = old.walk(b""), new.walk(b"")
    left, right = next(before, None), next(after, None)
    gone = replaced = b""
    while left is not None or right is not None:
        if left is not None and (right is None or _order(left.path) < _order(right.path)):
            if not any(above and left.path.startswith(above) for above in (gone, replaced)):
                yield Change("delete", left.path)
                gone = left.path + b"/"
            left = next(before, None)
            continue
        assert right is not None
        same = left is not None and left.path == right.path
        if left is None or not same:
            yield Change("add", right.path, right.real, right.stat)
        else:
            if stat.S_ISDIR(left.stat.st_mode) and not stat.S_ISDIR(right.stat.st_mode):
                replaced = left.path + b"/"
            if right.path in relinked or not _same(left, right, copied, times):
                yield Change("add", right.path, right.real, right.stat)
            left = next(before, None)
        right = next(after, None)


def _order(path: bytes) -> list[bytes]:
    # A walk goes down before it goes on: names compare one by one, not their joined bytes.
    return path.split(b"/")


def _relinked(old: DirectoryTree, new: DirectoryTree) -> set[bytes]:
    """Paths of both trees whose set of names for the same file differs."""
    before, after = _links(old), _links(new)
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


def _links(tree: DirectoryTree) -> dict[bytes, frozenset[bytes]]:
    groups: dict[tuple[int, int], list[bytes]] = {}
    for node in tree.walk(b""):
        if node.stat.st_nlink > 1 and not stat.S_ISDIR(node.stat.st_mode):
            groups.setdefault((node.stat.st_dev, node.stat.st_ino), []).append(node.path)
    return {path: frozenset(paths) for paths in groups.values() if len(paths) > 1 for path in paths}


def _same(left: Node, right: Node, copied: tuple[int, int] | None, times: bool) -> bool:
    if stat.S_ISDIR(left.stat.st_mode) and stat.S_ISDIR(right.stat.st_mode):
        return _same_directory(right.real, right.stat, left.real, left.stat, times)
    a, b = left.stat, right.stat
    if (a.st_mode, a.st_uid, a.st_gid, a.st_rdev) != (b.st_mode, b.st_uid, b.st_gid, b.st_rdev):
        return False
    if times and a.st_mtime_ns != b.st_mtime_ns:
        return False
    if stat.S_ISLNK(a.st_mode):
        return os.readlink(left.real) == os.readlink(right.real)
    if a.st_size != b.st_size and stat.S_ISREG(a.st_mode):
        return False
    if attributes(left.real) != attributes(right.real):
        return False
    if not stat.S_ISREG(a.st_mode):
        return True
    if copied is not None and a.st_mtime_ns == b.st_mtime_ns and copied[0] <= b.st_ctime_ns <= copied[1]:
        return True
    return _same_bytes(left.real, right.real)


def _same_directory(
    real: bytes, found: os.stat_result, other: bytes, old: os.stat_result, times: bool
) -> bool:
    return (
        (found.st_mode, found.st_uid, found.st_gid) == (old.st_mode, old.st_uid, old.st_gid)
        and (not times or found.st_mtime_ns == old.st_mtime_ns)
        and attributes(real) == attributes(other)
    )


def _same_bytes(left: bytes, right: bytes) -> bool:
    with open(left, "rb", buffering=0) as one, open(right, "rb", buffering=0) as other:
        while True:
            a, b = one.read(CHUNK), other.read(CHUNK)
            if a != b:
                return False
            if not a:
                return True


def _scan(directory: bytes) -> list[tuple[bytes, bytes, os.stat_result]]:
    with os.scandir(directory) as scan:
        found = [(entry.name, entry.path, entry.stat(follow_symlinks=False)) for entry in scan]
    found.sort()
    return found
