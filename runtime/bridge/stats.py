"""Entries of states as `fsutil.types.Stat`, whose modes are those of Go's `fs.FileMode`. Needs the extra
`pybuild[buildkit]`."""

from __future__ import annotations

import errno
import os
import stat

from pybuild.compiler.protos.fsutil_pb2 import Stat
from pybuild.runtime.bridge.reading import link_target
from pybuild.runtime.session.filemodes import go_mode, go_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.snapshots.types import Node


def stat_of(node: Node, path: str | None = None) -> Stat:
    """Return the Stat of an entry under `path`, its own name without one."""
    found = node.stat
    name = os.fsdecode(node.path.rpartition(b"/")[2]) if path is None else path
    device = stat.S_ISBLK(found.st_mode) or stat.S_ISCHR(found.st_mode)
    return Stat(
        path=name.encode("utf-8", "replace").decode(),
        mode=go_mode(found.st_mode),
        uid=found.st_uid,
        gid=found.st_gid,
        size=0 if stat.S_ISDIR(found.st_mode) else found.st_size,
        modTime=go_time(found.st_mtime_ns),
        linkname=link_target(node).encode("utf-8", "replace").decode(),
        devmajor=os.major(found.st_rdev) if device else 0,
        devminor=os.minor(found.st_rdev) if device else 0,
        xattrs=_attributes(node),
    )


def base_name(path: str) -> str:
    """Return the last part of a path as Go's `filepath.Base` does, which is the name in BuildKit's
    answers."""
    if not path:
        return "."
    return path.rstrip("/").rpartition("/")[2] or "/"


def _attributes(node: Node) -> dict[str, bytes]:
    try:
        return dict(node.attributes())
    except OSError as error:
        if error.errno in (errno.ENOTSUP, errno.ENODATA, errno.EPERM):
            return {}
        raise
