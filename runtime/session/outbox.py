"""A queue of messages to a peer: any thread may put, the call's own thread takes."""

from __future__ import annotations

from collections import deque
from threading import Condition

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


def _never() -> bool:
    return False


class Outbox(Generic[T]):
    """A queue of messages, for many writers and one iterating reader. Thread-safe. `put` blocks while `limit`
    messages are queued; 0 sets no limit."""

    def __init__(self, limit: int = 0) -> None:
        self._limit = limit
        self._messages: deque[T] = deque()
        self._changed = Condition()
        self._closed = False
        self._ended = False
        self._error: BaseException | None = None

    def put(self, message: T, urgent: Callable[[], bool] = _never) -> bool:
        """Append a message, waiting for room unless it is `urgent`; `wake` has that evaluated again. Return False if
        the call has ended, so that nobody will take the message."""
        with self._changed:
            self._changed.wait_for(
                lambda: not self._limit or len(self._messages) < self._limit or self._ended or urgent()
            )
            if self._ended:
                return False
            self._messages.append(message)
            # All, as the reader and the writers wait on one condition.
            self._changed.notify_all()
            return True

    def wake(self) -> None:
        """Make waiting `put` calls evaluate `urgent` again."""
        with self._changed:
            self._changed.notify_all()

    def close(self, error: BaseException | None = None) -> None:
        """End the queue behind its present messages; the reader then gets `error`, if any. Idempotent: the first
        error stays."""
        with self._changed:
            self._closed = True
            self._error = self._error or error
            self._changed.notify_all()

    def end(self) -> None:
        """Drop all messages and refuse others, as the call has ended or is to end. Idempotent."""
        with self._changed:
            self._closed = self._ended = True
            self._messages.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._messages or self._closed)
                if not self._messages:
                    break
                message = self._messages.popleft()
                self._changed.notify_all()
            yield message
        if self._error is not None:
            raise self._error
