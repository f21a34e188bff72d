"""Snapshots of single files."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.snapshots.types import Snapshotter


def file_snapshot(
    snapshotter: Snapshotter, file: str, name: str, mode: int, owner: tuple[int, int], modified: int
) -> int:
    """Move a file on the store's file system into a snapshot under the name `name`; `modified` is a Unix time. Raises
    OSError, for an owner without an id in the user namespace among others."""
    when = (modified * 1_000_000_000,) * 2
    active = snapshotter.prepare(None)
    try:
        os.chown(file, *owner)
        os.chmod(file, mode)
        os.utime(file, ns=when)
        os.rename(file, active.upper + b"/" + os.fsencode(name))
        os.utime(active.upper, ns=when)
        return active.commit()
    except BaseException:
        active.abort()
        raise
