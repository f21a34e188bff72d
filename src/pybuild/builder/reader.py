"""Reads states for a program, with one worker for all of its results, started at the first read."""

from __future__ import annotations

import os
import threading

from pybuild.builder.errors import error_of
from pybuild.builder.process import Worker
from pybuild.lang.diagnostics import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pybuild.builder.states import State


class Reader:
    """Sends questions to a worker. A worker that isn't used for a while ends, and another takes its place.
    Thread-safe. Close it: later questions are refused."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._guard = threading.Lock()
        self._worker: Worker | None = None
        self._owner = 0
        self._closed = False

    def __reduce__(self) -> tuple[object, ...]:
        """Give a result that is copied, or sent to another process, a reader of its own."""
        return Reader, (self._root,)

    def ask(self, kind: str, state: State | None, path: str) -> list[Any]:
        """Return all parts of the answer. Raises OSError about `path`, StateGone and other UserErrors."""
        with self._guard:
            if self._closed:
                raise RuntimeError("the builder of this result is closed")
            try:
                # Twice: a worker that was idle may have ended before it got the question.
                for _ in range(2):
                    parts = self._answer(kind, state, path)
                    if parts is not None:
                        return parts
                    self._end()
            except (OSError, UserError):
                raise
            except BaseException:
                self._end()  # the rest of an answer would be taken for the next one
                raise
        raise UserError("the process that reads results ended", help="look at dmesg: perhaps memory ran out")

    def _answer(self, kind: str, state: State | None, path: str) -> list[Any] | None:
        """Return the answer, None if the worker ended before it was complete."""
        if self._worker is None or self._owner != os.getpid():
            self._worker = Worker({"kind": "read"}, root=self._root, directory="/")
            self._owner = os.getpid()  # a process that was forked has its own
        worker = self._worker
        worker.send((kind, state, path))
        parts = []
        while (event := worker.next()) is not None:
            if event[0] == "part":
                parts.append(event[1])
            elif event[0] == "end":
                return parts
            elif event[0] == "os":
                raise OSError(event[1], os.strerror(event[1]), path)
            elif event[0] == "failed":
                raise error_of(event[1])
            else:
                return None
        return None

    def _end(self) -> None:
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def close(self) -> None:
        """End the worker. Idempotent."""
        with self._guard:
            self._closed = True
            self._end()
