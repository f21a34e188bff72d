"""Authorization: challenges of registries, and tokens from the servers they name.

Rules: the distribution project's token and OAuth2 specifications (distribution.github.io, spec/auth), RFC
9110 section 11 for the challenge's grammar. A scope is `repository:NAME:ACTIONS`.
"""

from __future__ import annotations

from pybuild.runtime.registry import errors
from pybuild.runtime.registry.answers import Address, json_object, seconds_of, text_of
from pybuild.runtime.registry.credentials import Credential, Credentials, Lookup
from pybuild.runtime.registry.hosts import Endpoint, is_loopback
from pybuild.runtime.registry.transport import Transport, lasting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

CLIENT_ID = "pybuild"
SHORTEST_LIFE = 60.0
"""Shortest life of a token in seconds, whatever its server says (the specification's default)."""
MARGIN = 10.0
"""Seconds before its expiry from which a token is no longer used."""
LONGEST_ANSWER = 1 << 20


class Challenge:
    """A challenge of a WWW-Authenticate header; `scheme` and the parameters' names are lower case."""

    __slots__ = ("parameters", "scheme")

    def __init__(self, scheme: str, parameters: dict[str, str]) -> None:
        self.scheme = scheme
        self.parameters = parameters


def parse_challenges(headers: Iterable[str]) -> list[Challenge]:
    """Parse the challenges in WWW-Authenticate headers; malformed ones are skipped."""
    out: list[Challenge] = []
    for header in headers:
        for word, name, value in _tokens(header):
            if word:
                out.append(Challenge(word.lower(), {}))
            elif out:
                out[-1].parameters.setdefault(name.lower(), value)
    return out


def _tokens(header: str) -> Iterable[tuple[str, str, str]]:
    """Yield (scheme, "", "") or ("", name, value) for each piece of a header."""
    import re

    pattern = re.compile(
        r"""\s*,?\s*(?:
            ([\w!#$%&'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))
          | ([\w!#$%&'*+.^`|~-]+)(?=\s|,|$)
        )""",
        re.VERBOSE,
    )
    position = 0
    while match := pattern.match(header, position):
        name, quoted, bare, scheme = match.groups()
        if scheme:
            yield scheme, "", ""
        else:
            value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else bare
            yield "", name, value
        if match.end() == position:
            return
        position = match.end()


def repository_scope(repository: str, action: str) -> str:
    """Return the scope for `action` (`pull` or `push`) on a repository; a push needs both rights."""
    return f"repository:{repository}:{'pull' if action == 'pull' else 'pull,push'}"


def merge_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """Merge the actions of each resource's scopes; sorted by resource."""
    merged: dict[str, set[str]] = {}
    for scope in scopes:
        resource, colon, actions = scope.rpartition(":")
        if colon:
            merged.setdefault(resource, set()).update(filter(None, actions.split(",")))
    return tuple(f"{name}:{','.join(sorted(actions))}" for name, actions in sorted(merged.items()))


class Authorizer:
    """The Authorization headers for one endpoint. Thread-safe; tokens are shared until they end."""

    def __init__(self, endpoint: Endpoint, credentials: Credentials, transport: Transport) -> None:
        from threading import Lock

        self._endpoint = endpoint
        self._credentials = credentials
        self._transport = transport
        self._challenge: Challenge | None = None
        self._extra: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._tokens: dict[tuple[str, ...], tuple[str, float]] = {}
        self._lock = Lock()

    def lookup(self, repository: str) -> Lookup:
        return self._credentials.find(self._domain, repository)

    @property
    def _domain(self) -> str:
        """The domain that logins are stored under."""
        return self._endpoint.host if self._endpoint.is_mirror else self._endpoint.domain

    def header(
        self, repository: str, action: str, scopes: Sequence[str], cancelled: Callable[[], bool] | None = None
    ) -> str | None:
        """Return the Authorization header for a request; None while the registry has not asked for one."""
        with self._lock:
            if self._challenge is None:
                return None
            return self._authorize(repository, action, scopes, cancelled)

    def answer(
        self,
        challenges: list[Challenge],
        used: str | None,
        repository: str,
        action: str,
        scopes: Sequence[str],
        cancelled: Callable[[], bool] | None = None,
    ) -> str | None:
        """Return the header for a second attempt after a 401; None without credentials or a known scheme. A
        refused token is not used again."""
        chosen = _choose(challenges)
        if chosen is None:
            return None
        with self._lock:
            if used is not None:
                # The server may have revoked it before its time.
                self._tokens = {k: v for k, v in self._tokens.items() if f"Bearer {v[0]}" != used}
            self._challenge = chosen
            extra = merge_scopes(chosen.parameters.get("scope", "").split())
            if extra:
                # Some registries want more than the standard's scope for a request; it is asked for from the
                # start next time.
                self._extra[tuple(scopes)] = extra
            return self._authorize(repository, action, scopes, cancelled)

    def _authorize(
        self, repository: str, action: str, scopes: Sequence[str], cancelled: Callable[[], bool] | None
    ) -> str | None:
        assert self._challenge is not None
        if self._challenge.scheme == "basic":
            credential = self.lookup(repository).credential
            return credential.basic() if credential is not None and credential.secret else None
        wanted = merge_scopes([*scopes, *self._extra.get(tuple(scopes), ())])
        token = self._cached(wanted)
        if token is None:
            token, life = self._fetched(repository, action, wanted, cancelled)
            from time import monotonic

            self._tokens[wanted] = (token, monotonic() + max(life, SHORTEST_LIFE) - MARGIN)
        return f"Bearer {token}"

    def _fetched(
        self,
        repository: str,
        action: str,
        scopes: tuple[str, ...],
        cancelled: Callable[[], bool] | None,
    ) -> tuple[str, float]:
        """Fetch a token. Returns it with its life in seconds."""
        assert self._challenge is not None
        parameters = self._challenge.parameters
        token = self._credentials.token(
            self._domain, parameters.get("realm", ""), parameters.get("service", ""), scopes
        )
        if token is not None:
            return token
        lookup = self.lookup(repository)
        if lookup.credential is not None and lookup.credential.bearer:
            return lookup.credential.bearer, SHORTEST_LIFE
        request = _TokenRequest(self._endpoint, self._transport, self._challenge, lookup, cancelled)
        return request.fetch(scopes, repository, action)

    def _cached(self, wanted: tuple[str, ...]) -> str | None:
        from time import monotonic

        moment = monotonic()
        for scopes, (token, end) in self._tokens.items():
            if end > moment and merge_scopes([*scopes, *wanted]) == scopes:
                return token
        return None


class _TokenRequest:
    """A request to a token server."""

    def __init__(
        self,
        endpoint: Endpoint,
        transport: Transport,
        challenge: Challenge,
        found: Lookup,
        cancelled: Callable[[], bool] | None,
    ) -> None:
        self.endpoint = endpoint
        self.transport = transport
        self.found = found
        self.cancelled = cancelled
        self.realm = challenge.parameters.get("realm", "")
        self.service = challenge.parameters.get("service", "")

    def fetch(self, scopes: tuple[str, ...], repository: str, action: str) -> tuple[str, float]:
        """Return (token, life in seconds). Raises AccessDenied when refused, and what `Transport.request`
        does."""
        from urllib.parse import urlencode

        credential = self.found.credential
        address = self._checked_realm(credential)
        fields = [("client_id", CLIENT_ID)]
        if self.service:
            fields.append(("service", self.service))
        if credential is not None and credential.refresh:
            fields += [("grant_type", "refresh_token"), ("refresh_token", credential.refresh)]
            fields.append(("scope", " ".join(scopes)))
            form = urlencode(fields).encode()
            headers = {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(len(form))}
            status, body = self._receive("POST", self.realm, headers, lambda: [form])
        else:
            headers = {}
            if credential is not None:
                headers["Authorization"] = credential.basic()
                fields.append(("account", credential.user))
            fields += [("scope", scope) for scope in scopes]
            url = f"{self.realm}{'&' if address.query else '?'}{urlencode(fields)}"
            status, body = self._receive("GET", url, headers)
        return self._read(status, body, repository, action)

    def _receive(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        form: Callable[[], Iterable[bytes]] | None = None,
    ) -> tuple[int, bytes]:
        def receive() -> tuple[int, bytes]:
            with self.transport.request(method, url, headers, form, cancelled=self.cancelled) as response:
                return response.status, response.read(LONGEST_ANSWER, "a token")

        return lasting(receive, self.transport.first_pause, self.cancelled)

    def _read(self, status: int, body: bytes, repository: str, action: str) -> tuple[str, float]:
        from pybuild.runtime.registry.details import error_detail

        host = self.endpoint.domain
        credential = self.found.credential
        if status in (400, 401, 403):
            user = None if credential is None else credential.user
            raise errors.unauthorized(
                host, repository, action, user=user, detail=error_detail(body), problem=self.found.problem
            )
        if status == 429:
            raise errors.too_many_requests(host, None, anonymous=credential is None)
        if status != 200:
            raise errors.server_failure(host, self.realm, status, detail=error_detail(body))
        try:
            answer = json_object(body)
        except ValueError as error:
            raise errors.bad_token(host, self.realm, str(error)) from None
        token = text_of(answer, "token", "access_token")
        if not token or not token.isascii() or not token.isprintable():
            raise errors.bad_token(host, self.realm, "no token")
        return token, seconds_of(answer, "expires_in")

    def _checked_realm(self, credential: Credential | None) -> Address:
        """Return the token server's address. Refuses to send credentials in clear text for a registry that
        itself speaks TLS."""
        host = self.endpoint.domain
        try:
            address = Address(self.realm)
        except ValueError as error:
            raise errors.bad_answer(host, f"a token server at {error}") from None
        trusted = (
            "http" in self.endpoint.schemes or self.endpoint.config.insecure or is_loopback(address.host)
        )
        if credential is not None and address.scheme == "http" and not trusted:
            raise errors.clear_text_login(host, self.realm)
        return address


def _choose(challenges: list[Challenge]) -> Challenge | None:
    """Return the preferred challenge: Bearer before Basic; other schemes are not known."""
    for scheme in ("bearer", "basic"):
        for challenge in challenges:
            if challenge.scheme == scheme and (scheme == "basic" or challenge.parameters.get("realm")):
                return challenge
    return None
