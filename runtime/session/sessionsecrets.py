"""Secrets that a client gives in its session (`moby.buildkit.secrets.v1.Secrets`)."""

from __future__ import annotations

import threading

from pybuild.compiler.protos.secrets_pb2 import GetSecretRequest, GetSecretResponse
from pybuild.lang.diagnostics import UserError
from pybuild.runtime.session.calls import NOT_FOUND, UNIMPLEMENTED, CallFailed
from pybuild.runtime.session.secrets import MAX_SIZE
from pybuild.runtime.session.types import Secrets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybuild.runtime.session.calls import Session

GET = "/moby.buildkit.secrets.v1.Secrets/GetSecret"


class SessionSecrets(Secrets):
    """The secrets of a session. Thread-safe. `session` returns the client's session, None if there is none. Values
    are cached in memory."""

    def __init__(self, session: Callable[[], Session | None]) -> None:
        self._session = session
        self._values: dict[str, bytes | None] = {}
        self._guard = threading.Lock()

    def get(self, id: str) -> bytes | None:
        """Return a secret's value, see `Secrets`. Raises SessionLost, CallFailed too."""
        with self._guard:
            if id in self._values:
                return self._values[id]
        # Without the lock, as the client may take long. If two threads ask, the first answer counts for both.
        value = self._ask(id)
        with self._guard:
            return self._values.setdefault(id, value)

    def _ask(self, id: str) -> bytes | None:
        session = self._session()
        if session is None or not session.offers(GET):
            return None
        try:
            answer = session.call(GET, GetSecretRequest(ID=id), GetSecretResponse)
        except CallFailed as error:
            if error.code in (NOT_FOUND, UNIMPLEMENTED):
                return None
            raise
        if len(answer.data) > MAX_SIZE:
            raise UserError(f"secret {id} too big. max size 500KB", help="a secret has at most 512,000 bytes")
        return answer.data
