"""What a client gives to its build for the time it runs: secrets and agents. Neither is part of any key."""

from __future__ import annotations

from pybuild.lang.diagnostics import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object


UPLOADS = "buildkit-session"
"""The host of HTTP addresses that a client answers itself."""


class MissingSecret(UserError):
    """The client did not give the secret `id` that something needs."""

    def __init__(self, title: str, id: str, *, help: str) -> None:
        super().__init__(title, help=help)
        self.id = id


class MissingAgent(MissingSecret):
    """The client did not give the SSH agent `id` that something needs."""


class Secrets(Protocol):
    """The secrets of a build by id."""

    def get(self, id: str) -> bytes | None:
        """The value, None if there is no secret of that id. Read once, when first asked for. Raises UserError
        for a source that can't be read."""


class Agents(Protocol):
    """The SSH agents of a build by id."""

    def socket(self, id: str) -> str | None:
        """The path of a socket on this machine that answers for the agent, None if there is no agent of that id;
        the empty id is `default`. Started when first asked for. Raises UserError."""

    def raw(self, id: str) -> bool:
        """Whether a step may ask everything of the agent, and not only for its keys and for signatures."""

    def missing(self, id: str) -> str:
        """What to say when something needs an agent that isn't there."""
