"""The standard input of a process in a container, as the frontend sends it."""

from __future__ import annotations

import os
import select
import threading
from collections import deque

_ROOM = 64
"""Pieces that wait for the process to read; the writer of another one waits too."""
_LOOKS = 100
"""Milliseconds between checks of whether the process still reads."""


class Feed:
    """A writer to a descriptor that it owns and closes. Thread-safe. Once the process has ended, the rest is
    dropped."""

    def __init__(self, fd: int) -> None:
        # A blocked write could not be given up when the process ends without reading.
        os.set_blocking(fd, False)
        self._fd = fd
        self._changed = threading.Condition()
        self._pieces: deque[bytes] = deque()
        self._ended = False
        self._dropped = False
        self._thread = threading.Thread(target=self._run, name="container input", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """True once the frontend has ended it. What comes after the end of the process is no error: the frontend
        may not know of it yet."""
        return self._ended

    def write(self, data: bytes) -> None:
        with self._changed:
            self._changed.wait_for(lambda: len(self._pieces) < _ROOM or self._dropped)
            if data and not self._dropped:
                self._pieces.append(data)
                self._changed.notify_all()

    def end(self) -> None:
        """Close the descriptor after everything was written. Idempotent."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def drop(self) -> None:
        """Drop what is left, as the process has ended. Returns when the descriptor is closed. Idempotent."""
        with self._changed:
            self._dropped = True
            self._pieces.clear()
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        try:
            while (data := self._next()) is not None:
                self._write(data)
        except OSError:
            with self._changed:
                self._dropped = True
                self._changed.notify_all()
        finally:
            os.close(self._fd)

    def _next(self) -> bytes | None:
        with self._changed:
            self._changed.wait_for(lambda: self._pieces or self._ended or self._dropped)
            if not self._pieces:
                return None
            self._changed.notify_all()
            return self._pieces.popleft()

    def _write(self, data: bytes) -> None:
        """Write a piece as the process reads. Raises OSError when the read end is closed."""
        room = select.poll()
        room.register(self._fd, select.POLLOUT)
        left = memoryview(data)
        while left and not self._dropped:
            # A pipe that nobody reads stays full for ever, so this looks up now and then.
            if not room.poll(_LOOKS):
                continue
            try:
                left = left[os.write(self._fd, left) :]
            except BlockingIOError:
                continue
