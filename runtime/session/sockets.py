"""Paths of sockets for one process, in a directory for its user alone."""

from __future__ import annotations

import os
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST = 100
"""Characters that the path of a socket may have, a few less than the kernel's limit."""


class Sockets:
    """Thread-safe. `directory` gives a directory of this process's own, in which the sockets are made where their
    paths aren't too long. `close` it when nobody listens any more."""

    def __init__(self, directory: Callable[[], str] | None = None) -> None:
        self._directory = directory
        self._guard = threading.Lock()
        self._place: str | None = None
        self._count = 0

    def path(self) -> str:
        """One that was not given yet."""
        with self._guard:
            place = self._place = self._place or self._make()
            self._count += 1
            return os.path.join(place, str(self._count))

    def _make(self) -> str:
        place = os.path.join(self._directory(), "agents") if self._directory is not None else ""
        if place and len(os.fsencode(place)) + 8 <= LONGEST:
            os.mkdir(place, 0o700)
            return place
        from tempfile import mkdtemp

        return mkdtemp(prefix="pybuild-ssh-", dir="/tmp")

    def close(self) -> None:
        """Take away what is left. Idempotent."""
        with self._guard:
            place, self._place = self._place, None
        if place is not None:
            for name in os.listdir(place):
                try:
                    os.unlink(os.path.join(place, name))
                except FileNotFoundError:
                    continue  # an agent takes its socket away itself when it can
            os.rmdir(place)
