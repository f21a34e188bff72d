"""A pseudo-terminal for a process in a container.

The runtime makes another one for the process, and passes bytes and sizes on between the two.
"""

from __future__ import annotations

import fcntl
import os
import struct
import termios

_SIZE = struct.Struct("HHHH")
_LARGEST = (1 << 16) - 1


class Terminal:
    """A pseudo-terminal: `outer` is the side of whoever talks to the process, `inner` the runtime's. Close it."""

    __slots__ = ("inner", "outer")

    def __init__(self) -> None:
        """Open the pseudo-terminal. Raises OSError."""
        self.outer, self.inner = os.openpty()

    def resize(self, rows: int, columns: int) -> None:
        """Set the size in characters. The runtime learns of it by SIGWINCH, which the caller sends."""
        if self.outer >= 0:
            size = _SIZE.pack(min(rows, _LARGEST), min(columns, _LARGEST), 0, 0)
            fcntl.ioctl(self.outer, termios.TIOCSWINSZ, size)

    def give_away(self) -> None:
        """Close the inner side once the runtime has it, so that the runtime's end is seen as the end of the
        terminal. Idempotent."""
        inner, self.inner = self.inner, -1
        if inner >= 0:
            os.close(inner)

    def close(self) -> None:
        """Close both sides. Idempotent."""
        self.give_away()
        outer, self.outer = self.outer, -1
        if outer >= 0:
            os.close(outer)
