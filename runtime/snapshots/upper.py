"""Write a snapshot under construction without mounting it, as the kernel's overlay does on copy-up, removal and
mkdir.

Paths are resolved: every component but the last is a directory of the merged state. A symlink there raises
NotADirectoryError, so nothing outside is touched. Below a directory that these functions return, files, links and
new directories may be made directly; a directory that the parent may have too is made and removed only here. A
snapshot is written by one thread at a time, and by none while it is mounted. All this works for every snapshotter:
the upper directory of a plain one is the state itself.
"""

from __future__ import annotations

import errno
import os
import stat

from pybuild.runtime.snapshots.overlay import OverlayActive, OverlaySnapshotter
from pybuild.runtime.snapshots.tree import is_opaque, is_whiteout
from pybuild.runtime.snapshots.types import Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.snapshots.tree import Stack
    from pybuild.runtime.snapshots.types import Active, Snapshotter


def copy_up_directory(snapshotter: Snapshotter, active: Active, path: bytes) -> bytes:
    """Copy directory `path` of the merged state up to `active.upper` and return its path there. It gets the mode,
    owner, attributes and times it has in the parent, and everything that the parent has in it still shows.
    Idempotent; the times of the directories above stay. Raises FileNotFoundError, NotADirectoryError."""
    _shown(snapshotter, active, path)
    real = _join(active.upper, path)
    absent = []
    while not snapshotter.plain and path and not os.path.lexists(_join(active.upper, path)):
        absent.append(path)
        path = path.rpartition(b"/")[0]
    for each in reversed(absent):
        _copy_up_from(snapshotter, active, each, _shown(snapshotter, active, each)[0])
    return real


def copy_up(snapshotter: Snapshotter, active: Active, path: bytes) -> bytes:
    """Copy any entry of the merged state up to `active.upper`, to be changed there, and return its path. As in the
    kernel, a file's other names keep the old content. Raises FileNotFoundError, NotADirectoryError."""
    here, name = _split(path)
    lower = _shown(snapshotter, active, here)
    real = _join(active.upper, path)
    status = _lstat(real)
    if status is not None:
        if not snapshotter.plain and is_whiteout(status):
            raise _error(errno.ENOENT, path)
        return real
    below = _beneath(snapshotter, active, lower, name)
    if below is None:
        raise _error(errno.ENOENT, path)
    _copy_up_from(snapshotter, active, path, below)
    return real


def look(snapshotter: Snapshotter, active: Active, path: bytes) -> Node | None:
    """Return the entry at a resolved path of the merged state, None if it has none. Unlike the tree's `lstat` this
    takes no steps from the root to a directory that is known. Raises FileNotFoundError, NotADirectoryError."""
    here, name = _split(path)
    lower = _shown(snapshotter, active, here)
    real: bytes | None = _join(active.upper, path)
    assert real is not None
    status = _lstat(real)
    if status is None:
        real = _beneath(snapshotter, active, lower, name)
        return None if real is None else Node(path, real, os.lstat(real))
    return None if is_whiteout(status) and not snapshotter.plain else Node(path, real, status)


def hide(snapshotter: Snapshotter, active: Active, path: bytes) -> bool:
    """Remove whatever `path` is in the merged state, with everything below it. Returns false if nothing was
    there."""
    here, name = _split(path)
    try:
        lower = _shown(snapshotter, active, here)
    except (FileNotFoundError, NotADirectoryError):
        return False
    status = _lstat(_join(active.upper, path))
    if status is not None and not snapshotter.plain and is_whiteout(status):
        return False
    below = _beneath(snapshotter, active, lower, name)
    _clear(active, path, status)
    if below is not None:
        os.mknod(_join(copy_up_directory(snapshotter, active, here), name), stat.S_IFCHR, 0)
    return status is not None or below is not None


def replace(snapshotter: Snapshotter, active: Active, path: bytes) -> bytes:
    """Remove whatever `path` is in the merged state, so that the caller can create something else than a directory
    there. Returns its path in `active.upper`, which is absent in a directory that exists. Raises FileNotFoundError
    and NotADirectoryError for the directory that is to hold it."""
    here, name = _split(path)
    real = _join(copy_up_directory(snapshotter, active, here), name)
    _clear(active, path, _lstat(real))
    return real


def make_opaque_directory(snapshotter: Snapshotter, active: Active, path: bytes, mode: int = 0o755) -> bytes:
    """Make `path` an empty directory of the merged state, in place of whatever is there, and return its path in
    `active.upper`."""
    here, name = _split(path)
    real = replace(snapshotter, active, path)
    os.mkdir(real)
    os.chmod(real, mode)
    below = _beneath(snapshotter, active, _shown(snapshotter, active, here), name)
    if below is not None and stat.S_ISDIR(os.lstat(below).st_mode):
        assert isinstance(active, OverlayActive)  # nothing lies beneath a plain snapshot
        active.set_opaque(path)
    return real


def make_directory(snapshotter: Snapshotter, active: Active, path: bytes, mode: int = 0o755) -> bytes:
    """Make `path` a directory to write in, and return its path in `active.upper`: the merged state's own if there
    is one, else an empty directory of that mode in place of whatever is there."""
    try:
        return copy_up_directory(snapshotter, active, path)
    except (FileNotFoundError, NotADirectoryError):
        return make_opaque_directory(snapshotter, active, path, mode)


def hides_something(snapshotter: Snapshotter, active: Active, path: bytes) -> bool:
    """Report whether the parent's entry at `path` shows, or would show if `active.upper` had none there."""
    here, name = _split(path)
    return _beneath(snapshotter, active, _shown(snapshotter, active, here), name) is not None


def _shown(snapshotter: Snapshotter, active: Active, path: bytes) -> Stack:
    """The lower directories that show through at directory `path` of the merged state, top first; none for a plain
    snapshot. Raises FileNotFoundError, NotADirectoryError."""
    if snapshotter.plain:
        at = active.upper
        for name in path.split(b"/") if path else ():
            at = at + b"/" + name
            if not stat.S_ISDIR(os.lstat(at).st_mode):
                raise _error(errno.ENOTDIR, path)
        return ()
    assert isinstance(active, OverlayActive)
    assert isinstance(snapshotter, OverlaySnapshotter)
    unknown = []
    at = path
    while at and at not in active.known:
        unknown.append(at)
        at = _split(at)[0]
    for each in reversed(unknown):
        active.known[each] = _showing(snapshotter, active, each)
    return active.known[path] if path else active.lower


def _showing(snapshotter: OverlaySnapshotter, active: OverlayActive, path: bytes) -> Stack:
    here, name = _split(path)
    lower = _shown(snapshotter, active, here)
    real = _join(active.upper, path)
    status = _lstat(real)
    if status is not None:
        if is_whiteout(status):
            raise _error(errno.ENOENT, path)
        if not stat.S_ISDIR(status.st_mode):
            raise _error(errno.ENOTDIR, path)
        if not lower or is_opaque(real, snapshotter.opaque):
            return ()
    tree = snapshotter.tree(active.parent)
    below = tree.find(lower, name) if lower else None
    if below is not None and stat.S_ISDIR(below[1].st_mode):
        return tree.descend(lower, name, below[2], path)
    if status is not None:
        return ()
    raise _error(errno.ENOENT if below is None else errno.ENOTDIR, path)


def _beneath(snapshotter: Snapshotter, active: Active, lower: Stack, name: bytes) -> bytes | None:
    """The path on the disk of entry `name` in the lower directories, None if they show none."""
    if not lower:
        return None
    assert isinstance(snapshotter, OverlaySnapshotter)
    entry = snapshotter.tree(active.parent).find(lower, name)
    return None if entry is None else entry[0]


def _copy_up_from(snapshotter: Snapshotter, active: Active, path: bytes, real: bytes) -> None:
    """Copy entry `real` of a lower layer to `path` in `active.upper`, a directory without its content."""
    from pybuild.runtime.snapshots.copies import copy_entry

    here, name = _split(path)
    directory = copy_up_directory(snapshotter, active, here)
    times = os.lstat(directory)  # creating an entry changes them, but a copy-up is no change of the state
    copy_entry(real, os.lstat(real), _join(directory, name))
    os.utime(directory, ns=(times.st_atime_ns, times.st_mtime_ns))


def _clear(active: Active, path: bytes, status: os.stat_result | None) -> None:
    """Remove the entry whose lstat is `status` from `active.upper`, and forget a directory there: what replaces it
    hides the parent's."""
    if isinstance(active, OverlayActive):
        active.forget(path)
    if status is None:
        return
    real = _join(active.upper, path)
    if not stat.S_ISDIR(status.st_mode):
        os.unlink(real)
        return
    from pybuild.runtime.snapshots.removal import remove_tree

    remove_tree(real)


def _split(path: bytes) -> tuple[bytes, bytes]:
    """Split a path into directory and name. Raises ValueError for the root, which is never replaced."""
    here, _, name = path.rpartition(b"/")
    if not name or name in (b".", b".."):
        raise ValueError(f"not a path below the root: {path!r}")
    return here, name


def _join(directory: bytes, path: bytes) -> bytes:
    return directory + b"/" + path if path else directory


def _lstat(path: bytes) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None


def _error(number: int, path: bytes) -> OSError:
    return OSError(number, os.strerror(number), os.fsdecode(path))
