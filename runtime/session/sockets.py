"""Paths for the sockets of one process, in a directory that only its user can enter."""

from __future__ import annotations

import os
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST = 100
"""Most bytes of a socket's path, a few less than the kernel's limit of 107."""


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
        # 8 for a slash and the number.
        if place and len(os.fsencode(place)) + 8 <= LONGEST:
            os.mkdir(place, 0o700)
            return place
        from tempfile import mkdtemp

        return mkdtemp(prefix="pybuild-ssh-", dir="/tmp")

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
