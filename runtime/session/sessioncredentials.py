"""Registry logins that a client gives in its session (`moby.filesync.v1.Auth`).

A client with a token authority for a registry fetches tokens itself, and never sends that login.
"""

from __future__ import annotations

import os
import threading

from pybuild.compiler.protos.filesync_pb2 import (
    CredentialsRequest,
    CredentialsResponse,
    FetchTokenRequest,
    FetchTokenResponse,
    GetTokenAuthorityRequest,
    GetTokenAuthorityResponse,
)
from pybuild.lang.diagnostics import UserError
from pybuild.runtime.registry.credentials import Credential, Credentials, Lookup
from pybuild.runtime.registry.hosts import DOCKER_HUB, DOCKER_HUB_HOST
from pybuild.runtime.session.calls import UNIMPLEMENTED, CallFailed, SessionLost

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pybuild.runtime.session.calls import Session

_AUTH = "/moby.filesync.v1.Auth/"
CREDENTIALS, FETCH, AUTHORITY = (_AUTH + name for name in ("Credentials", "FetchToken", "GetTokenAuthority"))
CLIENT_ID = "buildkit-client"
KEY_LENGTH, SALT_LENGTH = 32, 32


class SessionCredentials(Credentials):
    """The logins of a session. Thread-safe; the client is asked once for each registry. `session` returns the
    client's session, None if there is none."""

    def __init__(self, session: Callable[[], Session | None]) -> None:
        super().__init__({})
        self._session = session
        self._found: dict[str, Lookup] = {}
        self._authorities: dict[str, bool] = {}
        self._guard = threading.Lock()
        self._salt = os.urandom(SALT_LENGTH)

    def find(self, domain: str, repository: str = "") -> Lookup:
        """Return the login to a registry; sessions know none of single repositories. Raises SessionLost,
        CallFailed."""
        with self._guard:
            if domain not in self._found:
                self._found[domain] = Lookup(self._login(domain))
            return self._found[domain]

    def token(self, domain: str, realm: str, service: str, scopes: Sequence[str]) -> tuple[str, float] | None:
        """Return a token that the client fetches and its lifetime in seconds; None without an authority. Raises
        SessionLost, CallFailed."""
        session, host = self._session(), _host(domain)
        with self._guard:
            if host not in self._authorities:
                self._authorities[host] = session is not None and self._has_authority(session, host)
        if session is None or not self._authorities[host]:
            return None
        request = FetchTokenRequest(
            ClientID=CLIENT_ID, Host=host, Realm=realm, Service=service, Scopes=list(scopes)
        )
        answer = session.call(FETCH, request, FetchTokenResponse)
        return answer.Token, float(answer.ExpiresIn)

    def _login(self, domain: str) -> Credential | None:
        session = self._session()
        if session is None or not session.offers(CREDENTIALS):
            return None
        try:
            answer = session.call(CREDENTIALS, CredentialsRequest(Host=_host(domain)), CredentialsResponse)
        except CallFailed as error:
            if error.code == UNIMPLEMENTED:
                return None
            raise
        if not answer.Secret:
            return None
        # A client sends an identity token as a secret without a user name.
        if not answer.Username:
            return Credential(refresh=answer.Secret)
        return Credential(answer.Username, answer.Secret)

    def _has_authority(self, session: Session, host: str) -> bool:
        if not (session.offers(AUTHORITY) and session.offers(FETCH)):
            return False
        try:
            request = GetTokenAuthorityRequest(Host=host, Salt=self._salt)
            key = session.call(AUTHORITY, request, GetTokenAuthorityResponse).PublicKey
        except SessionLost:  # a client without an authority answers UNAVAILABLE
            return False
        except CallFailed as error:
            if error.code == UNIMPLEMENTED:
                return False
            raise
        if len(key) != KEY_LENGTH:
            raise UserError(f"invalid pubkey length {len(key)}", help="the client gave no key of 32 bytes")
        return True


def _host(domain: str) -> str:
    return DOCKER_HUB_HOST if domain in (DOCKER_HUB, "index.docker.io") else domain
