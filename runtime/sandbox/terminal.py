"""A pseudo-terminal for a process in a container.

The runtime makes the one that the process sees, and carries bytes and sizes between that and this one.
"""

from __future__ import annotations

import fcntl
import os
import struct
import termios

_SIZE = struct.Struct("HHHH")
_LARGEST = (1 << 16) - 1


class Terminal:
    """`outer` is for who talks to the process, `inner` for the runtime. Close it."""

    __slots__ = ("inner", "outer")

    def __init__(self) -> None:
        """Raises OSError."""
        self.outer, self.inner = os.openpty()

    def resize(self, rows: int, columns: int) -> None:
        """The runtime hears of it by SIGWINCH."""
        if self.outer >= 0:
            size = _SIZE.pack(min(rows, _LARGEST), min(columns, _LARGEST), 0, 0)
            fcntl.ioctl(self.outer, termios.TIOCSWINSZ, size)

    def give_away(self) -> None:
        """The runtime has its side: close ours, so that its end shows. Idempotent."""
        inner, self.inner = self.inner, -1
        if inner >= 0:
            os.close(inner)

    def close(self) -> None:
        """Idempotent."""
        self.give_away()
        outer, self.outer = self.outer, -1
        if outer >= 0:
            os.close(outer)
