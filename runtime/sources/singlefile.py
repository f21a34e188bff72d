"""Snapshots of single files."""

from __future__ import annotations

import os
import stat

from pybuild.runtime.snapshots.types import INDEX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.snapshots.types import Active, Snapshotter


def file_snapshot(
    snapshotter: Snapshotter, file: str, name: str, mode: int, owner: tuple[int, int], modified: int
) -> int:
    """Move a file on the store's file system into a snapshot under the name `name`; `modified` is a Unix time. Raises
    OSError, for an owner without an id in the user namespace among others."""
    when = (modified * 1_000_000_000,) * 2
    active = snapshotter.prepare(None)
    try:
        if snapshotter.name == INDEX:
            _enter(active, file, name, mode, owner, when[0])
            return active.commit()
        os.chown(file, *owner)
        os.chmod(file, mode)
        os.utime(file, ns=when)
        os.rename(file, active.upper + b"/" + os.fsencode(name))
        os.utime(active.upper, ns=when)
        return active.commit()
    except BaseException:
        active.abort()
        raise


def _enter(active: Active, file: str, name: str, mode: int, owner: tuple[int, int], when: int) -> None:
    """Move a file into the entries of a snapshot under construction."""
    from pybuild.runtime.snapshots.copies import copy_data
    from pybuild.runtime.snapshots.indexactive import IndexActive
    from pybuild.runtime.snapshots.types import Content

    assert isinstance(active, IndexActive)
    entry = active.make(stat.S_IFREG | mode, *owner, when)
    with Content(os.open(file, os.O_RDONLY | os.O_CLOEXEC)) as content:
        size = os.stat(file).st_size
        active.fill(entry, lambda fd: copy_data(content, fd, size))
    active.root.children[os.fsencode(name)] = entry
    active.root.mtime = when
    os.unlink(file)
