"""Messages on their way to a peer: put in by whoever has something to say, taken out by the call's own thread."""

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
    """Messages in their order. Thread-safe; one thread iterates over it. With a `limit` whoever puts one in waits
    while so many are there."""

    def __init__(self, limit: int = 0) -> None:
        self._limit = limit
        self._messages: deque[T] = deque()
        self._changed = Condition()
        self._closed = False
        self._ended = False
        self._error: BaseException | None = None

    def put(self, message: T, urgent: Callable[[], bool] = _never) -> bool:
        """Waits for room, but for what is `urgent`, which `wake` has asked again. False: the call has ended, and
        nobody will take it."""
        with self._changed:
            self._changed.wait_for(
                lambda: not self._limit or len(self._messages) < self._limit or self._ended or urgent()
            )
            if self._ended:
                return False
            self._messages.append(message)
            self._changed.notify_all()
            return True

    def wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def close(self, error: BaseException | None = None) -> None:
        """What has been put is the last, then comes `error`, the first that was given. Idempotent."""
        with self._changed:
            self._closed = True
            self._error = self._error or error
            self._changed.notify_all()

    def end(self) -> None:
        """The call has ended, or is to: nothing more is taken. Idempotent."""
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
