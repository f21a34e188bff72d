"""Files at http:// and https:// addresses, each in a snapshot of its own.

As in BuildKit's source/http, the key of a file has its bytes, name, mode, owner and modification time. A known file
is requested conditionally (`download.py`). With a checksum, there is no request before the file itself is needed.
"""

from __future__ import annotations

import os
import threading

from pybuild.lang.diagnostics import Cancelled, Diagnostic
from pybuild.runtime.cache.records import digest_of
from pybuild.runtime.registry.errors import shown_url
from pybuild.runtime.sources.download import Download, Downloads, conditions, confirmed, is_dated, seconds
from pybuild.runtime.sources.errors import SourceFailed, SourceMismatch, SourceTimedOut
from pybuild.runtime.sources.httprequest import HttpRequest, file_name, host_of
from pybuild.runtime.sources.singlefile import file_snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TypeVar

    from pybuild.compiler.ops import SourceOp
    from pybuild.runtime.content.store import Store
    from pybuild.runtime.registry.errors import RegistryError
    from pybuild.runtime.registry.transport import Response, Transport
    from pybuild.runtime.session.types import Secrets
    from pybuild.runtime.snapshots.types import Snapshotter
    from pybuild.runtime.solver.types import Cancellation
    from pybuild.runtime.sources.httptransfer import Received

    T = TypeVar("T")
    Report = Callable[[int, int], None]

HTTP_SEMANTICS = "http 1"


class HttpError(SourceFailed):
    """A file can't be downloaded. `status` is the HTTP status of the answer, 0 without one."""

    def __init__(self, diagnostic: Diagnostic | str, *, help: str | None = None, status: int = 0) -> None:
        super().__init__(diagnostic, help=help)
        self.status = status


class HttpMismatch(HttpError, SourceMismatch):
    """A file's bytes differ from its checksum."""


class HttpTimedOut(HttpError, SourceTimedOut):
    """A server sent nothing for too long."""


class HttpFile:
    """The file at an address: digest, name, modification time (Unix time; None if the server did not state it, or was
    not identity), and snapshot (None if it was not needed)."""

    __slots__ = ("digest", "modified", "name", "snapshot")

    def __init__(self, digest: str, name: str, modified: int | None, snapshot: int | None) -> None:
        self.digest = digest
        self.name = name
        self.modified = modified
        self.snapshot = snapshot


class HttpSource:
    """The downloads of one build. Thread-safe. Each address is requested once, so that all of a build sees one file.
    Close it.

    `waiting` is called with the holder of a lock before a download waits for that process. `upload` returns the bytes
    that the client itself sends, by the path of an address at the host UPLOADS.
    """

    def __init__(
        self,
        store: Store,
        snapshotter: Snapshotter,
        secrets: Secrets,
        waiting: Callable[[str], None] | None = None,
        transport: Transport | None = None,
        *,
        upload: Callable[[str], Iterator[bytes]] | None = None,
    ) -> None:
        self._store = store
        self._snapshotter = snapshotter
        self._secrets = secrets
        self._waiting = waiting
        self._downloads = Downloads(store, snapshotter)
        self._files: dict[str, HttpFile] = {}
        self._guard = threading.Lock()
        self._opened = transport
        self._upload = upload

    def resolve(self, op: SourceOp, cancellation: Cancellation, report: Report | None = None) -> HttpFile:
        """Return the file at an op's address, downloaded unless it is known or has a checksum. Raises HttpError,
        Cancelled; UserError for invalid attributes."""
        request = HttpRequest(op)
        if request.checksum:
            return HttpFile(request.checksum, request.name or file_name(request.url), None, None)
        return self._fetched(request, cancellation, report)

    def key(self, op: SourceOp, cancellation: Cancellation, report: Report | None = None) -> str:
        """Return the result's key. Raises like `resolve`."""
        request, file = HttpRequest(op), self.resolve(op, cancellation, report)
        modified = "" if file.modified is None else str(file.modified)
        # The server may name the file, which is not known before the request: the address stands for the name then.
        where = request.url if request.checksum and not request.name else ""
        return digest_of(
            HTTP_SEMANTICS,
            file.name,
            f"{request.mode:o}",
            f"{request.uid}:{request.gid}",
            file.digest,
            modified,
            where,
        )

    def snapshot(self, op: SourceOp, cancellation: Cancellation, report: Report | None = None) -> int:
        """Return the snapshot with the file, downloaded if need be. Raises like `resolve`, and HttpMismatch."""
        file = self._fetched(HttpRequest(op), cancellation, report)
        assert file.snapshot is not None
        return file.snapshot

    def time(self, op: SourceOp, cancellation: Cancellation, report: Report | None = None) -> int | None:
        """Return the file's modification time as Unix time. If the server does not state it, or the op has a
        checksum, it is that of the newest entry if the file is an archive, else None. Raises like `snapshot`."""
        from pybuild.runtime.sources.newest import newest_file

        request = HttpRequest(op)
        file = self._fetched(request, cancellation, report)
        if file.modified is not None and not request.checksum:
            return file.modified
        assert file.snapshot is not None
        node = self._snapshotter.tree(file.snapshot).lstat(os.fsencode(file.name))
        assert node is not None
        with node.content() as archive:
            return newest_file(archive, cancellation)

    def close(self) -> None:
        """Close connections. Idempotent."""
        if self._opened is not None:
            self._opened.close()

    def _fetched(self, request: HttpRequest, cancellation: Cancellation, report: Report | None) -> HttpFile:
        identity = request.identity()
        # Among processes: one that waited here finds the download of the other recorded.
        lock = self._store.lock(
            "http-" + identity.partition(":")[2], on_wait=self._waiting, cancelled=cancellation
        )
        if lock is None:
            raise Cancelled
        try:
            pinned = self._pinned(request, identity)
            if pinned is not None:
                return pinned
            file = self._files.get(identity)
            if file is None:
                file = self._files[identity] = self._fetch(request, identity, cancellation, report)
        finally:
            lock.remove()
        if request.checksum and file.digest != request.checksum:
            raise _mismatch(request, file.digest)
        return file

    def _pinned(self, request: HttpRequest, identity: str) -> HttpFile | None:
        """Return the file of the request's checksum if it was downloaded before, without asking the server."""
        known = self._downloads.of(identity) if request.checksum else []
        return next((_file(download) for download in known if download.digest == request.checksum), None)

    def _fetch(
        self, request: HttpRequest, identity: str, cancellation: Cancellation, report: Report | None
    ) -> HttpFile:
        """Fetch a file from the server or the client; a known file that the server confirms is not sent again."""
        from urllib.parse import urlsplit

        from pybuild.runtime.session.types import UPLOADS
        from pybuild.runtime.sources.httptransfer import take_up

        target = os.path.join(self._store.work, os.urandom(8).hex() + ".download")
        upload = self._upload
        if upload is not None and host_of(request.url) == UPLOADS:
            path = urlsplit(request.url).path
            answer: Download | Received = interruptible(
                lambda: take_up(upload(path), target, cancellation, report), cancellation
            )
        else:
            known = [] if request.checksum else self._downloads.of(identity)
            headers = {**request.sent(self._secrets), **conditions(known)}
            transport = self._transport()
            answer = interruptible(
                lambda: _exchange(transport, request, headers, known, target, cancellation, report),
                cancellation,
            )
        if isinstance(answer, Download):
            return _file(answer)
        if request.checksum and answer.digest != request.checksum:
            os.unlink(target)
            raise _mismatch(request, answer.digest)
        return self._keep(request, identity, answer, target)

    def _keep(self, request: HttpRequest, identity: str, received: Received, target: str) -> HttpFile:
        """Commit a received file to a snapshot, and record the download."""
        headers = received.headers
        name = request.name or file_name(request.url, headers)
        modified = seconds(headers.get("Last-Modified", ""))
        owner = (request.uid, request.gid)
        snapshot = file_snapshot(self._snapshotter, target, name, request.mode, owner, modified or 0)
        self._store.lease("snapshot", str(snapshot))
        download = Download(
            snapshot,
            received.digest,
            name,
            etag=headers.get("ETag", "").strip(),
            modified=headers.get("Last-Modified", "") if modified is not None else "",
            dated=is_dated(headers),
        )
        self._downloads.keep(identity, download)
        return _file(download)

    def _transport(self) -> Transport:
        from pybuild.runtime.registry.hosts import Hosts
        from pybuild.runtime.registry.transport import Transport

        with self._guard:
            if self._opened is None:
                self._opened = Transport(Hosts(), certificates=(), web=True, tell=self._waiting)
            return self._opened


def _file(download: Download) -> HttpFile:
    return HttpFile(download.digest, download.name, seconds(download.modified), download.snapshot)


def _exchange(
    transport: Transport,
    request: HttpRequest,
    headers: Mapping[str, str],
    known: Sequence[Download],
    target: str,
    cancellation: Cancellation,
    report: Report | None,
) -> Download | Received:
    """Send the request. Return the download of `known` that the server confirms, or the file received to `target`."""
    from pybuild.runtime.registry.errors import RegistryError
    from pybuild.runtime.sources.httptransfer import receive

    try:
        response = transport.request("GET", request.url, headers, cancelled=cancellation)
        with response:
            download = confirmed(known, response.status, response.headers)
            if download is not None:
                return download
            if response.status == 200:
                return receive(transport, response, request.url, headers, target, cancellation, report)
            raise _refused(request, response)
    except RegistryError as error:
        raise _unreachable(request, error) from None


def interruptible(work: Callable[[], T], cancellation: Cancellation) -> T:
    """Call `work` in a thread of its own, and return its value or raise its error. On cancellation the thread is
    abandoned and Cancelled is raised: nothing interrupts a name lookup or a connection attempt."""
    done = threading.Event()
    values: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            values.append(work())
        except BaseException as error:
            errors.append(error)
        finally:
            done.set()

    forget = cancellation.on_cancel(done.set)
    try:
        threading.Thread(target=run, name="download", daemon=True).start()
        done.wait()
    finally:
        forget()
    if errors:
        raise errors[0]
    if not values or cancellation():
        raise Cancelled
    return values[0]


# Messages


def _mismatch(request: HttpRequest, digest: str) -> HttpMismatch:
    return HttpMismatch(
        Diagnostic(
            f"digest mismatch {digest}: {request.checksum}", notes=[("address", shown_url(request.url))]
        ),
        help="the first is what the server sent: check the checksum, or whether the file was changed",
    )


def _refused(request: HttpRequest, response: Response) -> HttpError:
    status, host = response.status, host_of(request.url)
    if status in (401, 403):
        help = f"give a secret HTTP_AUTH_HEADER_{host} or HTTP_AUTH_TOKEN_{host} that lets you in"
    elif status in (404, 410):
        help = "check the address"
    elif status >= 500 or status == 429:
        help = "the server has a problem, or too much to do: try again later"
    else:
        help = "the server sends no file: check the address"
    notes = [("address", shown_url(request.url))]
    if shown_url(response.url) != shown_url(request.url):
        notes.append(("redirected to", shown_url(response.url)))
    return HttpError(
        Diagnostic(f"invalid response status {status}: {shown_url(request.url)}", notes=notes),
        help=help,
        status=status,
    )


def _unreachable(request: HttpRequest, error: RegistryError) -> HttpError:
    from pybuild.runtime.registry.errors import TimedOut, Unreachable

    reason = error.reason if isinstance(error, Unreachable) else str(error)
    if "certificate" in reason:
        help = "name the certificate of the server's authority in SSL_CERT_FILE"
    elif "TLS" in reason:
        help = "if the server speaks plain HTTP, write http://"
    else:
        help = "check the address and the network; a proxy is taken from HTTPS_PROXY and HTTP_PROXY"
    kind = HttpTimedOut if isinstance(error, TimedOut) else HttpError
    return kind(f"cannot download {shown_url(request.url)}: {reason}", help=help)
