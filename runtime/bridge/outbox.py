"""Messages on their way to a peer, a few at a time: who adds one waits while the peer does not take them."""

from __future__ import annotations

import threading
from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Generic, TypeVar

    T = TypeVar("T")
else:

    class Generic:
        def __class_getitem__(cls, _: object) -> type:
            return cls

    T = None

_ROOM = 64


class Outbox(Generic[T]):
    """Thread-safe. One thread iterates over it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._messages: deque[T] = deque()
        self._finished = False
        self._dropped = False
        self._error: BaseException | None = None

    def put(self, message: T, urgent: Callable[[], bool]) -> None:
        """Waits for room, but for what is `urgent`, which `wake` has asked again. After `drop` nothing is kept, and
        nobody waits."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._messages) < _ROOM or self._dropped or urgent())
            if not self._dropped:
                self._messages.append(message)
                self._changed.notify_all()

    def wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def finish(self, error: BaseException | None = None) -> None:
        """What has been put is the last, then comes `error`, the first that was given."""
        with self._changed:
            self._finished = True
            self._error = self._error or error
            self._changed.notify_all()

    def drop(self) -> None:
        """The peer is gone. Idempotent."""
        with self._changed:
            self._dropped = self._finished = True
            self._messages.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._messages or self._finished)
                if not self._messages:
                    break
                message = self._messages.popleft()
                self._changed.notify_all()
            yield message
        if self._error is not None:
            raise self._error
