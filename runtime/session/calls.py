"""Calls of a build into the session of its client: gRPC services that the client serves (`moby.filesync.v1.Auth`, …).

A method that the client does not offer is never called; `offers` tells which it does.
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
"""Numbers of gRPC's codes."""


class SessionLost(UserError):
    """The client has no session of that ID, or it has ended; also what a client says to be unavailable."""


class CallFailed(UserError):
    """The client answered with an error: `code` is gRPC's number of it (5 is NOT_FOUND), `message` its text."""

    def __init__(self, method: str, code: int, message: str) -> None:
        super().__init__(f"the client answered {method.rpartition('/')[2]} with an error: {message}")
        self.code = code
        self.message = message


class Stream(Protocol):
    """A call that goes on: its answers as they come. Leaving the context cancels what has not ended."""

    def __iter__(self) -> Iterator[Message]:
        """Raises SessionLost, CallFailed."""

    def __enter__(self) -> Stream: ...

    def __exit__(self, *_: object) -> None: ...


class Session(Protocol):
    """One client's session. Thread-safe. `method` is `/package.Service/Name`."""

    id: str
    shared_key: str
    """Names what of this client stays the same from one session to the next."""

    def offers(self, method: str) -> bool: ...

    def call(
        self,
        method: str,
        request: Message,
        response: type[M],
        *,
        metadata: Metadata = (),
        timeout: float | None = None,
    ) -> M:
        """A call with one answer. Raises SessionLost, CallFailed."""

    def stream(
        self, method: str, requests: Iterable[Message], response: type[Message], *, metadata: Metadata = ()
    ) -> Stream:
        """A call with many messages both ways. `requests` is read in a thread of the call's own."""


class Sessions(Protocol):
    """The sessions of the daemon's clients."""

    def get(self, id: str) -> Session:
        """Waits up to five seconds for a session of that ID. Raises SessionLost."""

    def close(self) -> None:
        """End all calls. Idempotent."""
