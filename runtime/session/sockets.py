"""Paths for the sockets of one process, in a directory that only its user can enter."""

from __future__ import annotations

import os
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST = 100
"""Most bytes of a socket's path, a few less than the kernel's limit of 107."""
_TEMPORARY = "/tmp"


def make_private_directory(parent: str, prefix: str = "pybuild-") -> str:
    """Make a directory for sockets with short names (8 bytes), which only this user can enter, and return its path.
    It is in `parent`, or in /tmp where that is no directory or its path is too long for a socket's."""
    from tempfile import mkdtemp

    # mkdtemp adds 8 characters to the prefix.
    fits = _fits(os.path.join(parent, prefix + 8 * "x"))
    return mkdtemp(prefix=prefix, dir=parent if fits and os.path.isdir(parent) else _TEMPORARY)


def _fits(directory: str) -> bool:
    """Report whether sockets with short names can be bound in the directory."""
    return len(os.fsencode(directory)) + 9 <= LONGEST  # a slash and the name


class Sockets:
    """Hands out paths. Thread-safe. `directory` returns this process's own directory, which is used unless paths
    get too long in it; else a temporary one is. Close it when no socket is listened on any more."""

    def __init__(self, directory: Callable[[], str] | None = None) -> None:
        self._directory = directory
        self._guard = threading.Lock()
        self._place: str | None = None
        self._count = 0

    def path(self) -> str:
        """Return an unused path."""
        with self._guard:
            place = self._place = self._place or self._make()
            self._count += 1
            return os.path.join(place, str(self._count))

    def _make(self) -> str:
        place = os.path.join(self._directory(), "agents") if self._directory is not None else ""
        if place and _fits(place):
            os.mkdir(place, 0o700)
            return place
        return make_private_directory(_TEMPORARY, "pybuild-ssh-")

    def close(self) -> None:
        """Remove the sockets that are left, and the directory. Idempotent."""
        with self._guard:
            place, self._place = self._place, None
        if place is not None:
            for name in os.listdir(place):
                try:
                    os.unlink(os.path.join(place, name))
                except FileNotFoundError:
                    continue  # the agent removed its socket itself
            os.rmdir(place)
