"""Secrets and agents that a client gives to its build while it runs. No cache key contains them."""

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
    """A step or source needs the secret `id`, and the client has none of that id."""

    def __init__(self, title: str, id: str, *, help: str) -> None:
        super().__init__(title, help=help)
        self.id = id


class MissingAgent(MissingSecret):
    """A step or source needs the SSH agent `id`, and the client has none of that id."""


class Secrets(Protocol):
    """The secrets of a build by id."""

    def get(self, id: str) -> bytes | None:
        """Return the value, None if there is no secret of that id. It is read once, at the first call. Raises
        UserError if it can't be read."""


class Agents(Protocol):
    """The SSH agents of a build by id."""

    def socket(self, id: str) -> str | None:
        """Return the path of a socket on this machine that reaches the agent, None if there is no agent of that id.
        The empty id means `default`. The agent is started at the first call. Raises UserError."""

    def raw(self, id: str) -> bool:
        """Report whether a step may send the agent any request, and not only list keys and sign."""

    def missing(self, id: str) -> str:
        """Return the message for an agent that is needed and isn't there."""
