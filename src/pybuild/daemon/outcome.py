"""The outcome of a worker's task, as the front process passes it on."""

from __future__ import annotations

from attrs import field, frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


@frozen
class Outcome:
    """The answer of a task, or the bytes of the google.rpc.Status it failed with."""

    response: Mapping[str, str] = field(factory=dict)
    facts: Mapping[str, object] = field(factory=dict)
    failure: bytes | None = None


def status(code: int, message: str) -> bytes:
    """Return a google.rpc.Status without details."""
    from google.rpc.status_pb2 import Status

    return bytes(Status(code=code, message=message).SerializeToString())


def message_of(failure: bytes) -> str:
    """Return the message of a google.rpc.Status."""
    from google.rpc.status_pb2 import Status

    return str(Status.FromString(failure).message)
