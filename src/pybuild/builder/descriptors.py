"""Numbers of descriptors: a program may have closed its standard streams, whose numbers the next files get."""

from __future__ import annotations

import fcntl
import os


def above_streams(fd: int) -> int:
    """The same descriptor under a number that is none of a standard stream's; `fd` is closed if it was one."""
    if fd > 2:
        return fd
    made = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
    os.close(fd)
    return made
