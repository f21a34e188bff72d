"""Try a layered snapshotter: make a state of two layers, mount it, change it, read the changes back, and remove
it."""

from __future__ import annotations

import os
import stat

from pybuild.runtime.snapshots.committed import SnapshotError
from pybuild.runtime.snapshots.mounts import Mounted, Overlay, overlay_detached
from pybuild.runtime.snapshots.overlay import OverlaySnapshotter
from pybuild.runtime.snapshots.removal import remove_tree
from pybuild.runtime.snapshots.tree import is_opaque, is_whiteout


def _change(merged: bytes) -> None:
    """Make the changes that need the kernel's marks: a whiteout, and an opaque directory. Raises OSError."""
    os.unlink(merged + b"/file")
    os.unlink(merged + b"/directory/inside")
    if os.listdir(merged) != [b"directory"] or os.listdir(merged + b"/directory"):
        raise OSError(0, "removed files are still listed: the file system has no entry types (d_type)")
    os.rmdir(merged + b"/directory")
    os.mkdir(merged + b"/directory")


def failure(snapshotter: OverlaySnapshotter) -> str | None:
    """The reason why mounts of the snapshotter don't work in its store, as the failed call gives it; None if they
    work."""
    place = snapshotter.committed.room()
    for name in (b"", b"/lower", b"/lower/directory", b"/fs", b"/work", b"/merged"):
        os.mkdir(place + name)
    for name in (b"/lower/file", b"/lower/directory/inside"):
        os.close(os.open(place + name, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644))
    try:
        return _result(snapshotter, place)
    finally:
        remove_tree(place)


def _result(snapshotter: OverlaySnapshotter, place: bytes) -> str | None:
    plan = Overlay(
        place,
        [place + b"/lower", snapshotter.committed.empty()],
        place + b"/fs",
        place + b"/work",
        userxattr=snapshotter.userxattr,
        volatile=True,
    )
    try:
        # Marks are also written without a mount (`upper.py`), so that has to work too. "n" marks nothing.
        os.setxattr(place + b"/lower/directory", snapshotter.opaque, b"n")
        detached = overlay_detached(plan) if type(snapshotter) is OverlaySnapshotter else None
        if detached is not None:
            try:
                _change(b"/proc/self/fd/%d" % detached)
            finally:
                os.close(detached)
        else:
            after = snapshotter.attach(plan, place + b"/merged")
            with Mounted(place + b"/merged", writable=True, after=[after]) as merged:
                _change(merged)
    except SnapshotError as refused:
        return refused.diagnostic.title
    except OSError as refused:
        return refused.strerror or str(refused)
    directory = os.lstat(place + b"/fs/directory")
    if not is_whiteout(os.lstat(place + b"/fs/file")):
        return "a removed file left no whiteout"
    if not stat.S_ISDIR(directory.st_mode) or not is_opaque(place + b"/fs/directory", snapshotter.opaque):
        return "a directory made anew is not opaque"
    return None
