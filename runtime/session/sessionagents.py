"""SSH agents that a client forwards in its session (`moby.sshforward.v1.SSH`), each at a socket of this process.

Bytes pass in both directions unchanged: the client filters requests.
"""

from __future__ import annotations

import socket
import threading

from pybuild.compiler.protos.ssh_pb2 import BytesMessage, CheckAgentRequest, CheckAgentResponse
from pybuild.lang.diagnostics import UserError
from pybuild.runtime.session.agents import DEFAULT
from pybuild.runtime.session.calls import CallFailed
from pybuild.runtime.session.listening import CHUNK, Listening, shut
from pybuild.runtime.session.outbox import Outbox
from pybuild.runtime.session.sockets import Sockets
from pybuild.runtime.session.types import Agents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybuild.runtime.session.calls import Session, Stream

CHECK = "/moby.sshforward.v1.SSH/CheckAgent"
FORWARD = "/moby.sshforward.v1.SSH/ForwardAgent"
ID = "buildkit.ssh.id"
AHEAD = 16
"""Messages that may be queued."""


class SessionAgents(Agents):
    """The agents of a session. Thread-safe. `session` returns the client's session, None if there is none;
    `directory` is that of `Sockets`. Close it."""

    def __init__(self, session: Callable[[], Session | None], directory: Callable[[], str]) -> None:
        self._session = session
        self._sockets = Sockets(directory)
        self._guard = threading.Lock()
        self._refused: dict[str, str] = {}
        self._served: dict[str, Listening] = {}

    def socket(self, id: str) -> str | None:
        """Return the socket of an agent, see `Agents`; the client is asked once for each id."""
        id = id or DEFAULT
        with self._guard:
            if id not in self._served and id not in self._refused:
                session = self._session()
                refused = _refusal(session, id)
                if session is None or refused:
                    self._refused[id] = refused
                else:
                    self._served[id] = Listening(self._sockets.path(), _Agent(session, id).serve)
            served = self._served.get(id)
            return None if served is None else served.path

    def raw(self, id: str) -> bool:
        return True

    def missing(self, id: str) -> str:
        """Return the client's reason for having no such agent."""
        return self._refused.get(id or DEFAULT) or f"unset ssh forward key {id or DEFAULT}"

    def close(self) -> None:
        """Stop listening. Idempotent."""
        with self._guard:
            served, self._served = self._served, {}
        for listening in served.values():
            listening.close()
        self._sockets.close()


class _Agent:
    """An agent of a session."""

    def __init__(self, session: Session, id: str) -> None:
        self._session = session
        self._id = id

    def serve(self, listening: Listening, client: socket.socket) -> None:
        """Serve one connection to its end."""
        outbox: Outbox[BytesMessage] = Outbox(AHEAD)
        try:
            with self._session.stream(FORWARD, outbox, BytesMessage, metadata=[(ID, self._id)]) as stream:
                # Its read ends when `shut` is called below, or by the step.
                threading.Thread(target=_send, args=(client, outbox), name="ssh agent", daemon=True).start()
                _receive(stream, client)
        except UserError:
            pass  # the session is lost, or the client has failed: this connection ends
        finally:
            outbox.end()
            shut(client)


def _refusal(session: Session | None, id: str) -> str:
    """Return the reason why there is no agent of that id, "" if there is one."""
    if session is None or not (session.offers(CHECK) and session.offers(FORWARD)):
        return f'no SSH key "{id}" forwarded from the client'
    try:
        session.call(CHECK, CheckAgentRequest(ID=id), CheckAgentResponse)
    except CallFailed as error:
        return error.message or f"unset ssh forward key {id}"
    return ""


def _send(client: socket.socket, outbox: Outbox[BytesMessage]) -> None:
    try:
        while data := client.recv(CHUNK):
            if not outbox.put(BytesMessage(data=data)):
                return
    except OSError:
        pass
    finally:
        outbox.close()


def _receive(stream: Stream, client: socket.socket) -> None:
    for message in stream:
        assert isinstance(message, BytesMessage)
        client.sendall(message.data)
