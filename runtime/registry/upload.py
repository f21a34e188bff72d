"""Uploads of blobs: mounted from another repository if the registry allows, else sent whole, else in chunks.

A failed upload starts again (registries differ in how they treat a partial one), except that a chunked one
asks the registry for its offset and continues there, and that one without an answer may have arrived. Chunks
are used where whole uploads fail: proxies with a size limit (413) and connections that break.
"""

from __future__ import annotations

import os

from pybuild.runtime.registry import errors
from pybuild.runtime.registry.answers import end_of_range, joined, natural, retry_after
from pybuild.runtime.registry.errors import (
    AccessDenied,
    RegistryError,
    TimedOut,
    TooManyRequests,
    Unreachable,
)
from pybuild.runtime.registry.transport import ATTEMPTS, CHUNK, LONGEST_WAIT, RETRIED
from pybuild.runtime.registry.waiting import check, wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pybuild.runtime.registry.client import Repository
    from pybuild.runtime.registry.transport import Response

CHUNK_SIZE = 16 << 20
"""Bytes of one chunk of a chunked upload, unless the registry asks for more."""
FIRST_PAUSE = 0.3


def upload(
    repository: Repository,
    digest: str,
    path: str,
    *,
    mount_from: str = "",
    report: Callable[[int], None] | None = None,
) -> bool:
    """Upload the blob in file `path` to `repository`. Returns True when it was mounted from `mount_from` (a
    repository of the same registry) and no byte was sent. Idempotent. Raises RegistryError, Cancelled,
    FileNotFoundError."""
    with repository.session.slots:
        return _Upload(repository, digest, path, report).run(mount_from)


def mount(repository: Repository, digest: str, mount_from: str) -> bool:
    """Try to mount the blob without uploading it; a session begun in its place is dropped."""
    upload = _Upload(repository, digest, "", None)
    location = upload.begin(mount_from)
    if location:
        upload.abandon(location)
    return not location


class UploadLost(RegistryError):
    """The registry does not know the upload any more."""


class _Upload:
    def __init__(
        self, repository: Repository, digest: str, path: str, report: Callable[[int], None] | None
    ) -> None:
        self.repository = repository
        self.digest = digest
        self.path = path
        self.size = os.stat(path).st_size if path else 0
        self.report = report
        self.chunked = False
        self.chunk_size = CHUNK_SIZE
        self.sent = False
        """The last request of the upload has been sent whole."""

    def run(self, mount_from: str) -> bool:
        failure: RegistryError | None = None
        for attempt in range(1, ATTEMPTS + 1):
            pause = FIRST_PAUSE * 2 ** (attempt - 1)
            try:
                location = self.begin(mount_from if attempt == 1 else "")
                if not location:
                    return True
                failure, asked = self._deliver(location)
                if failure is None:
                    return False
            except Unreachable as error:
                if self._has_arrived():
                    return False
                # Silence at the end may be a registry's that has lost the upload; any other has lasted enough.
                silent = isinstance(error, TimedOut) and self.sent and not isinstance(failure, TimedOut)
                if not error.transient and not silent:
                    raise
                # A connection that broke twice may not last for a whole blob.
                failure, asked, self.chunked = error, None, attempt > 1
            # A proxy limits the size of a request; no reason to wait.
            if failure.status == 413 and not self.chunked:
                self.chunked = True
                continue
            if attempt < ATTEMPTS:
                wait(pause if asked is None else asked, self.repository.cancelled)
        assert failure is not None
        raise failure

    def _deliver(self, location: str) -> tuple[RegistryError | None, float | None]:
        """Send the blob. Returns None once the registry has it, else why to begin another upload, and after how many
        seconds if the registry says so. Raises the refusals that last."""
        try:
            response = self._send_chunks(location) if self.chunked else self._send(location, 0, self.size)
        except TooManyRequests as error:
            if error.seconds is not None and error.seconds > LONGEST_WAIT:
                raise
            return error, error.seconds
        except UploadLost as error:
            return error, None
        status, asked = response.status, retry_after(response.headers)
        if status in (200, 201, 204):
            response.close()
            return None, None
        failure = self.repository.session.failure(response, self.repository.name, "push")
        # 404: the registry has forgotten the upload, as one does that has restarted.
        if status not in RETRIED and status not in (404, 413, 416):
            raise self._refused(failure)
        if status == 413 and self.chunked:
            raise self._refused(failure)
        return failure, None if asked is None else min(asked, LONGEST_WAIT)

    def _has_arrived(self) -> bool:
        """Ask, after an upload that was sent whole and not answered, whether the registry has the blob."""
        if not self.sent:
            return False
        try:
            return self.repository.has_blob(self.digest)
        except RegistryError:
            return False

    def _refused(self, failure: RegistryError) -> RegistryError:
        if isinstance(failure, AccessDenied):
            return failure
        detail = dict(failure.diagnostic.notes).get("registry", "") or str(failure)
        return errors.upload_refused(self.repository.host, self.repository.name, self.digest, detail)

    def begin(self, mount_from: str) -> str:
        """Return the location to send the blob to, "" when it was mounted."""
        query = ""
        if mount_from:
            from urllib.parse import quote

            query = f"?mount={quote(self.digest)}&from={quote(mount_from, safe='')}"
        try:
            response = self._request(
                "POST", f"/v2/{self.repository.path}/blobs/uploads/{query}", also_pulls=mount_from
            )
        except AccessDenied:
            if mount_from:
                # The login may push here but not read there: no mount, but an upload.
                return self.begin("")
            raise
        # Registries that know no mounts answer in many ways: upload instead.
        if mount_from and response.status not in (201, 202):
            response.close()
            return self.begin("")
        if response.status == 201:
            response.close()
            return ""
        if response.status == 405:
            response.close()
            raise errors.read_only(self.repository.host, self.repository.name)
        if response.status != 202 or not response.headers.get("Location"):
            raise self.repository.session.failure(response, self.repository.name, "push")
        with response:
            # Smaller chunks than that are refused (distribution specification, pushing a blob in chunks).
            self.chunk_size = max(CHUNK_SIZE, natural(response.headers.get("OCI-Chunk-Min-Length")) or 0)
            return self._location(response)

    def abandon(self, location: str) -> None:
        try:
            self._request("DELETE", location, attempts=1).close()
        except RegistryError:
            pass  # The registry drops idle sessions itself.

    def _location(self, response: Response) -> str:
        """Return a Location header as an absolute URL. Registries behind a proxy may think they speak plain
        HTTP: for the endpoint's own host its scheme is kept."""
        origin = self.repository.session.origin(self.repository.cancelled)
        try:
            address = joined(response.url, response.headers.get("Location", ""))
        except ValueError as error:
            raise errors.bad_answer(self.repository.host, str(error), url=response.url) from None
        if address.netloc == self.repository.session.endpoint.host:
            return origin + address.url.partition("://")[2].removeprefix(address.netloc)
        if origin.startswith("https://") and address.scheme != "https":
            raise errors.bad_redirect(self.repository.host, address.url)
        return address.url

    def _send(self, location: str, start: int, end: int, *, finish: bool = True) -> Response:
        """Send bytes [start, end) and, with `finish`, complete the upload."""
        from urllib.parse import quote

        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(end - start)}
        url = location
        if finish:
            url += f"{'&' if '?' in location else '?'}digest={quote(self.digest)}"
        else:
            headers["Content-Range"] = f"{start}-{end - 1}"
        return self._request(
            "PUT" if finish else "PATCH",
            url,
            headers=headers,
            body=lambda: self._bytes(start, end, finish),
            attempts=1,
            answer=self.repository.session.transport.patience.commit if finish else None,
        )

    def _send_chunks(self, location: str) -> Response:
        """Send chunk by chunk, resuming where the registry says a broken one ended. Returns the response to
        the final PUT, or the first refusal."""
        offset = failures = 0
        while offset < self.size:
            end = min(offset + self.chunk_size, self.size)
            try:
                response = self._send(location, offset, end, finish=False)
                if response.status in RETRIED:
                    raise self.repository.session.failure(response, self.repository.name, "push")
                if response.status not in (200, 201, 202, 204):
                    return response
                with response:
                    if response.headers.get("Location"):
                        location = self._location(response)
                offset, failures = end, 0
            except (Unreachable, errors.ServerFailure, TooManyRequests) as error:
                failures += 1
                asked = error.seconds if isinstance(error, TooManyRequests) else None
                if failures >= ATTEMPTS or isinstance(error, TimedOut) or (asked or 0) > LONGEST_WAIT:
                    raise
                pause = FIRST_PAUSE * 2 ** (failures - 1)
                wait(pause if asked is None else asked, self.repository.cancelled)
                location, offset = self._status(location)
        return self._send(location, self.size, self.size)

    def _status(self, location: str) -> tuple[str, int]:
        """Return (location, bytes that the registry has) of a chunked upload."""
        response = self._request("GET", location)
        if response.status != 204:
            failure = self.repository.session.failure(response, self.repository.name, "push")
            if response.status == 404:
                raise UploadLost(str(failure), status=404)
            raise failure
        with response:
            if response.headers.get("Location"):
                location = self._location(response)
            # `0-0` is what registries say of an empty upload; a single byte is then sent once more.
            return location, end_of_range(response.headers)

    def _bytes(self, start: int, end: int, last: bool) -> Iterator[bytes]:
        self.sent = False
        with open(self.path, "rb") as file:
            file.seek(start)
            while start < end:
                check(self.repository.cancelled)
                data = file.read(min(CHUNK, end - start))
                if not data:
                    return
                yield data
                start += len(data)
                if self.report is not None:
                    self.report(start)
        self.sent = last

    def _request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Callable[[], Iterator[bytes]] | None = None,
        also_pulls: str = "",
        attempts: int = ATTEMPTS,
        answer: float | None = None,
    ) -> Response:
        if body is None and method in ("POST", "PUT", "PATCH"):
            headers = {**(headers or {}), "Content-Length": "0"}
        return self.repository.session.request(
            method,
            url,
            self.repository.path,
            "push",
            headers=headers,
            body=body,
            also_pulls=also_pulls,
            attempts=attempts,
            answer=answer,
            cancelled=self.repository.cancelled,
        )
