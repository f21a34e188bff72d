"""Requests to one endpoint of a registry: its scheme, its authorization, its errors."""

from __future__ import annotations

from pybuild.runtime.registry import errors
from pybuild.runtime.registry.answers import retry_after
from pybuild.runtime.registry.auth import Authorizer, merge_scopes, parse_challenges, repository_scope
from pybuild.runtime.registry.credentials import Credentials
from pybuild.runtime.registry.details import error_codes, error_detail
from pybuild.runtime.registry.errors import RegistryError, Unreachable
from pybuild.runtime.registry.hosts import Endpoint
from pybuild.runtime.registry.transport import ATTEMPTS, Response, Transport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

TRANSFERS = 6
"""Blobs moved at once to or from one endpoint."""
LONGEST_ERROR = 64 << 10


class Session:
    """A session with one endpoint, with its tokens. Thread-safe. `slots` bounds the transfers of blobs."""

    def __init__(self, endpoint: Endpoint, transport: Transport, credentials: Credentials) -> None:
        from threading import BoundedSemaphore, Lock

        self.endpoint = endpoint
        self.transport = transport
        self.authorizer = Authorizer(endpoint, credentials, transport)
        self.slots = BoundedSemaphore(TRANSFERS)
        self._scheme = endpoint.schemes[0] if len(endpoint.schemes) == 1 else ""
        self._lock = Lock()

    @property
    def shown_host(self) -> str:
        """The registry's name in messages."""
        return self.endpoint.host if self.endpoint.is_mirror else self.endpoint.domain

    def origin(self, cancelled: Callable[[], bool] | None = None) -> str:
        """Return `SCHEME://HOST`. Where several schemes are possible (loopback) the first that answers is
        kept."""
        with self._lock:
            if not self._scheme:
                self._scheme = self._probe(cancelled)
        return f"{self._scheme}://{self.endpoint.host}"

    def _probe(self, cancelled: Callable[[], bool] | None) -> str:
        failure: RegistryError | None = None
        for scheme in self.endpoint.schemes:
            url = f"{scheme}://{self.endpoint.host}/v2/"
            try:
                with self.transport.request("GET", url, {}, attempts=1, cancelled=cancelled) as response:
                    # What Go's servers say to plain HTTP on a TLS port.
                    if not (scheme == "http" and response.status == 400):
                        return scheme
            except Unreachable as error:
                failure = failure or error
        if failure is not None:
            raise failure
        return self.endpoint.schemes[0]

    def request(
        self,
        method: str,
        url: str,
        repository: str,
        action: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Callable[[], Iterable[bytes]] | None = None,
        also_pulls: str = "",
        attempts: int = ATTEMPTS,
        silence: float | None = None,
        answer: float | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Response:
        """Send a request with the rights of `action` on `repository` (and of pulling from `also_pulls`).
        `url` is absolute or a path of this endpoint. A login goes to the endpoint alone, and only its own
        challenges are answered, not those of hosts that it redirects to. Raises AccessDenied when no login
        helps, TooManyRequests, and what `Transport.request` raises; other statuses are returned."""
        origin = self.origin(cancelled)
        own = url.startswith(("/", origin + "/"))
        target = origin + url if url.startswith("/") else url
        scopes = [repository_scope(repository, action)]
        if also_pulls:
            scopes.append(repository_scope(also_pulls, "pull"))
        merged = merge_scopes(scopes)
        header = self.authorizer.header(repository, action, merged, cancelled) if own else None

        def send(authorization: str | None) -> Response:
            sent = dict(headers or {})
            if authorization is not None:
                sent["Authorization"] = authorization
            return self.transport.request(
                method,
                target,
                sent,
                body,
                attempts=attempts,
                silence=silence,
                answer=answer,
                cancelled=cancelled,
            )

        response = send(header)
        own = own and response.host == self.endpoint.host
        if response.status == 401 and own:
            authorization = self._answer(response, header, repository, action, merged, cancelled)
            if authorization is not None:
                response = send(authorization)
        if response.status == 429 or (response.status in (401, 403) and own):
            raise self.failure(response, repository, action)
        return response

    def _answer(
        self,
        response: Response,
        used: str | None,
        repository: str,
        action: str,
        scopes: tuple[str, ...],
        cancelled: Callable[[], bool] | None,
    ) -> str | None:
        """Return the Authorization header for a second attempt and close the first response; None, with the
        response open, without credentials."""
        challenges = parse_challenges(response.challenges())
        try:
            answer = self.authorizer.answer(challenges, used, repository, action, scopes, cancelled)
        except BaseException:
            response.close()
            raise
        if answer is not None:
            response.close()
        return answer

    def failure(
        self, response: Response, repository: str, action: str, *, manifest: str = ""
    ) -> RegistryError:
        """Return the error for a status that is no success. Reads and closes the response. `manifest` is the
        requested tag or digest."""
        with response:
            try:
                body = response.read(LONGEST_ERROR, "an error")
            except RegistryError:
                body = b""
        status, host = response.status, self.shown_host
        detail = error_detail(body)
        if response.host != self.endpoint.host and status < 500 and status != 429:
            return errors.unexpected_status(response.host, response.url, status, detail=detail)
        found = self.authorizer.lookup(repository)
        user = None if found.credential is None else found.credential.user
        if status == 401:
            return errors.unauthorized(
                host, repository, action, user=user, detail=detail, problem=found.problem
            )
        if status == 403:
            return errors.forbidden(host, repository, action, user=user, detail=detail)
        if status == 404:
            if any(code == "NAME_UNKNOWN" for code, _ in error_codes(body)):
                return errors.repository_missing(host, repository, detail=detail)
            if manifest and response.content_type != "text/html":
                return errors.manifest_missing(host, repository, manifest, detail=detail)
        if status == 429:
            seconds = retry_after(response.headers)
            return errors.too_many_requests(host, seconds, anonymous=user is None, detail=detail)
        if response.content_type == "text/html" and status < 500:
            return errors.not_a_registry(host, response.url, response.content_type)
        if status >= 500:
            return errors.server_failure(host, response.url, status, detail=detail)
        return errors.unexpected_status(host, response.url, status, detail=detail)
