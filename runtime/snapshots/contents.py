"""The content of entries on the disk: attributes, and digests of files."""

from __future__ import annotations

import errno
import os
import time
from hashlib import sha256

CHUNK = 1 << 20
_SETTLED_NS = 100_000_000  # far more than a tick of the kernel's clock for file times, 10 ms at most
_CACHED_FILES = 200_000
_digests: dict[tuple[int, int, int, int, int], bytes] = {}

OVERLAY_PREFIXES = ("trusted.overlay.", "user.overlay.", "user.fuseoverlayfs.")
"""Prefixes of the attributes in which overlays keep their own state."""


def is_overlays_own(name: str) -> bool:
    """Report whether an overlay keeps its own state in an extended attribute of this name."""
    return name.startswith(OVERLAY_PREFIXES)


def is_content_attribute(name: str) -> bool:
    """Report whether an extended attribute is content of a state: file capabilities and `user.*`, without an
    overlay's own. Copies, layers, exports and digests all go by this."""
    return name == "security.capability" or (name.startswith("user.") and not is_overlays_own(name))


def attributes(real: bytes) -> list[tuple[str, bytes]]:
    """The content attributes of an entry as (name, value), ordered by name."""
    try:
        names = os.listxattr(real, follow_symlinks=False)
    except OSError as failure:
        if failure.errno != errno.ENOTSUP:
            raise
        return []
    return [
        (name, os.getxattr(real, name, follow_symlinks=False))
        for name in sorted(names)
        if is_content_attribute(name)
    ]


def file_digest(real: bytes, status: os.stat_result) -> bytes:
    """The sha256 of the regular file `real`, whose lstat is `status`.

    It is kept for the life of the process by device, inode, size and both times, unless the file changed so
    recently that another change could fall into the same tick of the file system's clock."""
    key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    known = _digests.get(key)
    if known is not None:
        return known
    value = sha256()
    fd = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        while data := os.read(fd, CHUNK):
            value.update(data)
    finally:
        os.close(fd)
    digest = value.digest()
    if abs(time.time_ns() - status.st_ctime_ns) > _SETTLED_NS:
        if len(_digests) >= _CACHED_FILES:
            _digests.clear()
        _digests[key] = digest
    return digest
