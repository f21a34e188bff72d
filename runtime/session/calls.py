"""The session of a client: gRPC services that the client serves to its build (`moby.filesync.v1.Auth`, …).

Check with `offers` before a call: a client need not serve every method.
"""

from __future__ import annotations

from pybuild.lang.diagnostics import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Protocol, TypeVar

    from google.protobuf.message import Message

    M = TypeVar("M", bound=Message)
    Metadata = Sequence[tuple[str, str]]
else:
    Protocol = object


CANCELLED, NOT_FOUND, ALREADY_EXISTS, UNIMPLEMENTED, UNAVAILABLE = 1, 5, 6, 12, 14
"""Status codes of gRPC."""


class SessionLost(UserError):
    """There is no session of that ID, or it has ended; also the client's answer UNAVAILABLE."""


class CallFailed(UserError):
    """The client answered with an error: `code` is gRPC's status code, `message` the error's text."""

    def __init__(self, method: str, code: int, message: str) -> None:
        super().__init__(f"the client answered {method.rpartition('/')[2]} with an error: {message}")
        self.code = code
        self.message = message


class Stream(Protocol):
    """A streaming call: iterates over the answers as they arrive. Leaving the context cancels the call."""

    def __iter__(self) -> Iterator[Message]:
        """Raises SessionLost, CallFailed."""

    def __enter__(self) -> Stream: ...

    def __exit__(self, *_: object) -> None: ...


class Session(Protocol):
    """The session of one client. Thread-safe. Methods are named `/package.Service/Name`."""

    id: str
    shared_key: str
    """Identifies the client's files across sessions, so that a later one sends only changes."""

    def offers(self, method: str) -> bool:
        """Report whether the client serves a method."""

    def call(
        self,
        method: str,
        request: Message,
        response: type[M],
        *,
        metadata: Metadata = (),
        timeout: float | None = None,
    ) -> M:
        """Call a method with one request and one answer; `timeout` is in seconds. Raises SessionLost, CallFailed."""

    def stream(
        self, method: str, requests: Iterable[Message], response: type[Message], *, metadata: Metadata = ()
    ) -> Stream:
        """Call a method with a stream of messages in both directions. A thread of the call's own iterates over
        `requests`."""


class Sessions(Protocol):
    """The sessions of the daemon's clients."""

    def get(self, id: str) -> Session:
        """Return the session of that ID, waiting up to five seconds for it to open. Raises SessionLost."""

    def close(self) -> None:
        """End all calls of all sessions. Idempotent."""
