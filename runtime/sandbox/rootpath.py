"""Resolve paths inside a mounted root, so that no symlink leads out of it."""

from __future__ import annotations

import errno
import os

# The kernel's own limit (path_resolution(7)).
_MAX_LINKS = 40


def resolve(root: bytes, path: str) -> bytes:
    """Follow `path` inside `root` and return the resulting path on this machine. Components that don't exist are
    kept as they are. Raises OSError(ELOOP) after 40 links. Nothing may change the root meanwhile."""
    base = root.rstrip(b"/")
    names: list[bytes] = []
    pending = os.fsencode(path).split(b"/")[::-1]
    links = 0
    while pending:
        name = pending.pop()
        if name in (b"", b"."):
            continue
        if name == b"..":
            del names[-1:]
            continue
        try:
            target = os.readlink(b"/".join((base, *names, name)))
        except OSError:
            # No symlink, or nothing there at all.
            names.append(name)
            continue
        links += 1
        if links > _MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        if target.startswith(b"/"):
            names.clear()
        pending += target.split(b"/")[::-1]
    return b"/".join((base, *names))


def make_directories(path: bytes, root: bytes, uid: int, gid: int, mode: int = 0o755) -> None:
    """Make directory `path`, resolved and below `root`, and the missing ones above it, owned by `uid` and `gid`."""
    missing = []
    while len(path) > len(root) and not os.path.lexists(path):
        missing.append(path)
        path = os.path.dirname(path)
    for directory in reversed(missing):
        os.mkdir(directory, mode)
        # mkdir's mode is cut by the umask.
        os.chmod(directory, mode)
        os.chown(directory, uid, gid)
