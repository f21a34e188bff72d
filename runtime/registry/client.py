"""The registry client: repositories of OCI distribution 1.1 registries (Docker's v2 protocol)."""

from __future__ import annotations

from pybuild.runtime.content.blobs import DigestMismatch
from pybuild.runtime.image.descriptor import (
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    INDEXES,
    MANIFESTS,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    is_digest,
)
from pybuild.runtime.image.manifest import LONGEST_MANIFEST, decode, manifest_type
from pybuild.runtime.registry import errors
from pybuild.runtime.registry.answers import length
from pybuild.runtime.registry.credentials import Credentials
from pybuild.runtime.registry.download import download
from pybuild.runtime.registry.hosts import Hosts
from pybuild.runtime.registry.session import Session
from pybuild.runtime.registry.transport import Response, Transport, lasting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from pybuild.runtime.content.blobs import BlobWriter
    from pybuild.runtime.registry.hosts import Endpoint

ACCEPT = ", ".join((OCI_INDEX, DOCKER_INDEX, OCI_MANIFEST, DOCKER_MANIFEST, "*/*;q=0.1"))


class Client:
    """Access to every registry, with shared connections, tokens and logins. Thread-safe. Close it."""

    def __init__(
        self,
        hosts: Hosts | None = None,
        credentials: Credentials | None = None,
        *,
        transport: Transport | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        """`tell` gets a line about a request that hangs."""
        from threading import Lock

        self.hosts = hosts or Hosts()
        self._credentials = credentials or Credentials()
        self._transport = transport or Transport(self.hosts, tell=tell)
        self._sessions: dict[tuple[str, str, str], Session] = {}
        self._lock = Lock()

    def repository(
        self, domain: str, path: str, *, cancelled: Callable[[], bool] | None = None
    ) -> Repository:
        """Return the repository `path` of the registry itself, for pushes."""
        return Repository(self._session(self.hosts.origin(domain)), path, cancelled)

    def repositories(
        self, domain: str, path: str, *, cancelled: Callable[[], bool] | None = None
    ) -> list[Repository]:
        """Return the repositories to pull `path` from, in order: the mirrors, then the registry itself."""
        return [Repository(self._session(e), path, cancelled) for e in self.hosts.endpoints(domain)]

    def _session(self, endpoint: Endpoint) -> Session:
        with self._lock:
            key = (endpoint.domain, endpoint.host, endpoint.prefix)
            if key not in self._sessions:
                self._sessions[key] = Session(endpoint, self._transport, self._credentials)
            return self._sessions[key]

    def close(self) -> None:
        """Idempotent."""
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Repository:
    """A repository at an endpoint. Every method may raise RegistryError and Cancelled. `name` is the
    repository in references, `source` its name in `blob_source` records."""

    __slots__ = ("cancelled", "name", "path", "session")

    def __init__(self, session: Session, name: str, cancelled: Callable[[], bool] | None = None) -> None:
        self.session = session
        self.name = name
        self.path = session.endpoint.path(name)
        self.cancelled = cancelled

    @property
    def host(self) -> str:
        return self.session.shown_host

    @property
    def source(self) -> str:
        return f"{self.session.endpoint.domain}/{self.name}"

    def resolve(self, reference: str) -> tuple[Descriptor, bytes | None]:
        """Return the descriptor of the manifest or index of a tag or digest, by HEAD, which registries don't
        count against their limits; also the bytes if a GET was needed."""
        with self._manifest_request("HEAD", reference) as response:
            digest = response.headers.get("Docker-Content-Digest", "")
            size = length(response.headers)
            known = response.content_type in MANIFESTS | INDEXES
            complete = response.status == 200 and is_digest(digest) and known
            media_type = response.content_type
        if complete and size is not None and 0 < size <= LONGEST_MANIFEST:
            if is_digest(reference) and digest != reference:
                raise DigestMismatch(self._what(reference), reference, digest)
            return Descriptor(media_type, digest, size), None
        return self.manifest(reference)

    def manifest(self, reference: str) -> tuple[Descriptor, bytes]:
        """Return the manifest or index of a tag or digest, verified against the requested digest and the one
        the registry states. Raises NotFound, DigestMismatch, BadContent (schema 1, no manifest at all)."""
        from hashlib import sha256

        what = self._what(reference)

        def receive() -> tuple[bytes, str, str]:
            with self._manifest_request("GET", reference) as response:
                if response.status != 200:
                    raise self.session.failure(response, self.name, "pull", manifest=reference)
                if response.content_type in ("text/html", "application/xhtml+xml"):
                    raise errors.not_a_registry(self.host, response.url, response.content_type)
                data = response.read(LONGEST_MANIFEST, f"the manifest of {what}")
                return data, response.headers.get("Docker-Content-Digest", ""), response.content_type

        data, stated, declared = lasting(receive, self.session.transport.first_pause, self.cancelled)
        digest = "sha256:" + sha256(data).hexdigest()
        wanted = reference if is_digest(reference) else stated if is_digest(stated) else digest
        if digest != wanted:
            raise DigestMismatch(f"the manifest of {what}", wanted, digest)
        try:
            media_type = manifest_type(decode(data), declared)
        except ValueError as error:
            raise errors.bad_manifest(what, str(error)) from None
        if media_type not in MANIFESTS | INDEXES:
            raise errors.unsupported_manifest(what, media_type)
        return Descriptor(media_type, digest, len(data)), data

    def _manifest_request(self, method: str, reference: str) -> Response:
        silence = self.session.transport.patience.manifest
        return self.request(method, f"manifests/{reference}", headers={"Accept": ACCEPT}, silence=silence)

    def _what(self, reference: str) -> str:
        domain = self.session.endpoint.domain
        return f"{domain}/{self.name}{'@' if ':' in reference else ':'}{reference}"

    def has_manifest(self, reference: str) -> str:
        """Return the digest of a tag or digest here, for a push; "" when there is none."""
        headers = {"Accept": ACCEPT}
        with self.request("HEAD", f"manifests/{reference}", action="push", headers=headers) as response:
            digest = response.headers.get("Docker-Content-Digest", "")
            return digest if response.status == 200 and is_digest(digest) else ""

    def has_blob(self, digest: str, *, action: str = "push") -> bool:
        with self.request("HEAD", f"blobs/{digest}", action=action) as response:
            return response.status == 200

    def describe(self, digest: str) -> Descriptor:
        """Return the registry's descriptor of a blob, or of a manifest with that digest; a blob's has no
        media type. Raises NotFound, BadContent."""
        with self.request("HEAD", f"blobs/{digest}") as response:
            status, size = response.status, length(response.headers)
            if status not in (200, 404):
                raise self.session.failure(response, self.name, "pull")
        if status == 404:
            return self.resolve(digest)[0]
        if size is None:
            raise errors.no_size(self.host, digest)
        return Descriptor("", digest, size)

    def fetch(
        self, descriptor: Descriptor, writer: BlobWriter, report: Callable[[int], None] | None = None
    ) -> None:
        """Write a blob from the writer's offset to its end, through broken connections; the caller commits,
        which verifies it. `report` gets the offset. Raises NotFound, BadContent, Unreachable."""

        def send(headers: Mapping[str, str]) -> Response:
            response = self.request("GET", f"blobs/{descriptor.digest}", headers=headers)
            if response.status in (200, 206, 416):
                return response
            if response.status == 404:
                response.close()
                raise errors.blob_missing(self.host, self.name, descriptor.digest)
            raise self.session.failure(response, self.name, "pull")

        with self.session.slots:
            download(descriptor, writer, send, self.host, report=report, cancelled=self.cancelled)

    def fetch_url(
        self,
        url: str,
        descriptor: Descriptor,
        writer: BlobWriter,
        report: Callable[[int], None] | None = None,
    ) -> None:
        """Fetch as `fetch` does, from an address outside the registry (a foreign layer's); no login is
        sent."""
        if not url.startswith(("https://", "http://")):
            raise errors.unreachable(errors.shown_url(url), "only http and https addresses are supported")
        host = errors.shown_url(url).partition("://")[2].partition("/")[0]

        def send(headers: Mapping[str, str]) -> Response:
            response = self.session.transport.request("GET", url, headers, cancelled=self.cancelled)
            if response.status in (200, 206, 416):
                return response
            response.close()
            raise errors.unexpected_status(host, url, response.status)

        with self.session.slots:
            download(descriptor, writer, send, host, report=report, cancelled=self.cancelled)

    def put_manifest(self, reference: str, media_type: str, data: bytes) -> str:
        """Store a manifest under a tag or its digest. Returns the digest. Idempotent."""
        from hashlib import sha256

        digest = "sha256:" + sha256(data).hexdigest()
        headers = {"Content-Type": media_type, "Content-Length": str(len(data))}
        response = self.request(
            "PUT", f"manifests/{reference}", action="push", headers=headers, body=lambda: [data]
        )
        if response.status not in (200, 201, 202):
            raise self._manifest_refused(response, reference)
        with response:
            stated = response.headers.get("Docker-Content-Digest", "")
        if is_digest(stated) and stated != digest:
            raise DigestMismatch(f"the manifest pushed as {self._what(reference)}", digest, stated)
        return digest

    def _manifest_refused(self, response: Response, reference: str) -> errors.RegistryError:
        if response.status == 405:
            response.close()
            return errors.read_only(self.host, self.name)
        failure = self.session.failure(response, self.name, "push")
        if 400 <= failure.status < 500 and not isinstance(failure, errors.AccessDenied):
            detail = dict(failure.diagnostic.notes).get("registry", "")
            return errors.manifest_refused(self.host, self.name, reference, detail, failure.status)
        return failure

    def request(
        self,
        method: str,
        path: str,
        *,
        action: str = "pull",
        headers: Mapping[str, str] | None = None,
        body: Callable[[], list[bytes]] | None = None,
        silence: float | None = None,
    ) -> Response:
        """Send a request to `/v2/REPOSITORY/path`. A mirror is told which registry it stands for (`ns`,
        containerd's convention)."""
        endpoint = self.session.endpoint
        query = f"?ns={endpoint.domain}" if endpoint.is_mirror else ""
        return self.session.request(
            method,
            f"/v2/{self.path}/{path}{query}",
            self.path,
            action,
            headers=headers,
            body=body,
            silence=silence,
            cancelled=self.cancelled,
        )
