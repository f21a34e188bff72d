"""What a call into a session is to send: put in by the build, taken out by the call's own thread."""

from __future__ import annotations

from collections import deque
from threading import Condition

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message


class Outbox:
    """Messages in their order. With a `limit` whoever puts one in waits while so many are there."""

    def __init__(self, limit: int = 0) -> None:
        self._limit = limit
        self._messages: deque[Message] = deque()
        self._changed = Condition()
        self._closed = False
        self._ended = False

    def put(self, message: Message) -> bool:
        """False: the call has ended, and nobody will take it."""
        with self._changed:
            while self._limit and len(self._messages) >= self._limit and not self._ended:
                self._changed.wait()
            if self._ended:
                return False
            self._messages.append(message)
            self._changed.notify_all()
            return True

    def close(self) -> None:
        """Nothing more comes. Idempotent."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def end(self) -> None:
        """The call has ended, or is to: nothing more is taken. Idempotent."""
        with self._changed:
            self._ended = True
            self._messages.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Message]:
        while True:
            with self._changed:
                while not self._messages and not self._closed and not self._ended:
                    self._changed.wait()
                if self._ended or not self._messages:
                    return
                message = self._messages.popleft()
                self._changed.notify_all()
            yield message
