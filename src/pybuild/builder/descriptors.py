"""Descriptor numbers. A program may have closed its standard streams, and the next files get their numbers."""

from __future__ import annotations

import fcntl
import os


def above_streams(fd: int) -> int:
    """Return the descriptor under a number above the standard streams'; `fd` is closed if it was one of those."""
    if fd > 2:
        return fd
    copy = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
    os.close(fd)
    return copy
