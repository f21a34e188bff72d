"""The client of a build that came over the wire: gives the build what the client's session offers.

    sessions = FrontSessions(path)
    client = SessionClient(sessions, request.Session, cancellation)
    engine = Engine(EngineOptions(root, client=client, …), …)       calls `enter` when it is in its namespaces
    …
    engine.close()                                                  calls `close`
    sessions.close()

`cancellation` ends all calls into sessions, so that nothing waits for a client that has gone or given up.
"""

from __future__ import annotations

from pybuild.lang.diagnostics import UserError
from pybuild.runtime.clients.client import Client
from pybuild.runtime.clients.localnames import LocalNames
from pybuild.runtime.session.calls import SessionLost
from pybuild.runtime.session.contentstore import LAYOUT, SessionContent
from pybuild.runtime.session.sessionagents import SessionAgents
from pybuild.runtime.session.sessioncredentials import SessionCredentials
from pybuild.runtime.session.sessionsecrets import SessionSecrets
from pybuild.runtime.session.types import UPLOADS
from pybuild.runtime.session.upload import pull
from pybuild.runtime.sources.attributes import source_of
from pybuild.runtime.sources.filesync.source import FileSyncSource, NoLocalSources

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybuild.compiler.graph import Vertex
    from pybuild.runtime.clients.client import ContentStore, Workplace
    from pybuild.runtime.registry.credentials import Credentials
    from pybuild.runtime.session.calls import Session, Sessions
    from pybuild.runtime.session.types import Agents, Secrets
    from pybuild.runtime.solver.types import Cancellation
    from pybuild.runtime.sources.local import LocalTree


class SessionClient(LocalNames, Client):
    """The client behind a session. `id` is the build's session, "" for none; single sources may name other ones."""

    secrets: Secrets
    agents: Agents
    credentials: Credentials | None

    def __init__(self, sessions: Sessions, id: str, cancellation: Cancellation | None = None) -> None:
        super().__init__()
        self._sessions = sessions
        self._id = id
        self._place: Workplace | None = None
        self._files: FileSyncSource | None = None
        self.secrets = SessionSecrets(self._own)
        self.credentials = SessionCredentials(self._own)
        self.agents = self._agents = SessionAgents(self._own, self._work)
        if cancellation is not None:
            cancellation.on_cancel(sessions.close)

    def enter(self, place: Workplace) -> None:
        self._place = place
        self._files = FileSyncSource(place.store, place.observer)

    def tree(self, vertex: Vertex, cancellation: Cancellation) -> LocalTree:
        """Fetch a local source's files and return their tree. Raises NoLocalSources, SessionLost, CallFailed,
        TransferFailed."""
        assert self._files is not None
        op = source_of(vertex)
        name = op.identifier.partition("://")[2]
        id = op.attrs.get("local.session", "")
        before, colon, after = id.partition(":")
        if colon:
            name, id = f"{before}-{name}", after
        if id and id != self._id:
            try:
                return self._files.tree(self._sessions.get(id), vertex, name, cancellation)
            except (SessionLost, NoLocalSources):
                # As BuildKit does: a session that is gone is replaced by the build's own.
                if not self._id or cancellation():
                    raise
        session = self._own()
        if session is None:
            raise UserError(
                "could not access local files without session", help="the client has to open a session"
            )
        return self._files.tree(session, vertex, name, cancellation)

    def outside(self, name: str) -> str:
        try:
            session = self._own()
        except SessionLost:
            return ""
        return "" if session is None else f"session {session.shared_key}"

    def content_store(self, id: str, session: str = "") -> ContentStore:
        owner = self._sessions.get(session) if session else self._own()
        if owner is None:
            raise UserError(
                f"no active sessions: the content store {id!r} is a client's", help="open a session with it"
            )
        return SessionContent(owner, LAYOUT + id)

    def upload(self, path: str) -> Iterator[bytes]:
        session = self._own()
        if session is None:
            raise UserError(
                f"no active sessions: http://{UPLOADS}{path} is a client's to send", help="open a session"
            )
        return pull(session, path)

    def close(self) -> None:
        self._agents.close()
        if self._files is not None:
            self._files.close()

    def _own(self) -> Session | None:
        """Return the build's session, None if it has none. Raises SessionLost."""
        return self._sessions.get(self._id) if self._id else None

    def _work(self) -> str:
        assert self._place is not None
        return self._place.store.work
