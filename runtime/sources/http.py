"""Files at http:// and https:// addresses, each in a snapshot of its own.

The meaning is that of BuildKit's source/http. A file is identified by its bytes, its name, mode and owner, and when
it was last modified; what was downloaded before is only asked about (`download.py`). With a checksum nothing is
asked before the file is needed.
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
    """A file can't be downloaded. `status` is the HTTP status that says so, 0 where there was none."""

    def __init__(self, diagnostic: Diagnostic | str, *, help: str | None = None, status: int = 0) -> None:
        super().__init__(diagnostic, help=help)
        self.status = status


class HttpMismatch(HttpError, SourceMismatch):
    """A file is not what its checksum says."""


class HttpTimedOut(HttpError, SourceTimedOut):
    """A server was silent for too long."""


class HttpFile:
    """What is at an address: the digest of its bytes, its name, when it was last modified (seconds since the
    epoch, None where the server does not say or was not asked), and the snapshot that holds it, None while it was
    not needed."""

    __slots__ = ("digest", "modified", "name", "snapshot")

    def __init__(self, digest: str, name: str, modified: int | None, snapshot: int | None) -> None:
        self.digest = digest
        self.name = name
        self.modified = modified
        self.snapshot = snapshot


class HttpSource:
    """Downloads, each address once a build: all of a build sees the same file. Thread-safe. Close it.

    `waiting` is told whom a download in another process waits for. `upload` gives what the client itself sends, by
    the path of an address at the host UPLOADS.
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
        self._made = transport
        self._upload = upload

    def resolve(self, op: SourceOp, cancellation: Cancellation, report: Report | None = None) -> HttpFile:
        """What is at the address of an op; downloaded unless it is known, or pinned by a checksum. Raises
        HttpError, Cancelled; UserError for attributes that can't be used."""
        request = HttpRequest(op)
        if request.checksum:
            return HttpFile(request.checksum, request.name or file_name(request.url), None, None)
        return self._fetched(request, cancellation, report)

    def key(self, op: SourceOp, cancellation: Cancellation, report: Report | None = None) -> str:
        """Identity of the result. Raises as `resolve`."""
        request, file = HttpRequest(op), self.resolve(op, cancellation, report)
        modified = "" if file.modified is None else str(file.modified)
        # Without a name the server may give one, which is not known before it is asked.
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
        """The snapshot with the file. Raises as `resolve`, and HttpError when the bytes are not those of the
        checksum."""
        file = self._fetched(HttpRequest(op), cancellation, report)
        assert file.snapshot is not None
        return file.snapshot

    def time(self, op: SourceOp, cancellation: Cancellation, report: Report | None = None) -> int | None:
        """When the file was last modified, in seconds since 1970; where the server doesn't say, or a checksum leaves
        the server no say, the time of the newest file in it if it is an archive. Raises as `snapshot`."""
        from pybuild.runtime.sources.newest import newest_file

        request = HttpRequest(op)
        file = self._fetched(request, cancellation, report)
        if file.modified is not None and not request.checksum:
            return file.modified
        assert file.snapshot is not None
        node = self._snapshotter.tree(file.snapshot).lstat(os.fsencode(file.name))
        assert node is not None
        with open(node.real, "rb") as archive:
            return newest_file(archive, cancellation)

    def close(self) -> None:
        """Idempotent."""
        if self._made is not None:
            self._made.close()

    def _fetched(self, request: HttpRequest, cancellation: Cancellation, report: Report | None) -> HttpFile:
        asked = request.asked()
        lock = self._store.lock(
            "http-" + asked.partition(":")[2], on_wait=self._waiting, cancelled=cancellation
        )
        if lock is None:
            raise Cancelled
        try:
            pinned = self._pinned(request, asked)
            if pinned is not None:
                return pinned
            file = self._files.get(asked)
            if file is None:
                file = self._files[asked] = self._bring(request, asked, cancellation, report)
        finally:
            lock.remove()
        if request.checksum and file.digest != request.checksum:
            raise _mismatch(request, file.digest)
        return file

    def _pinned(self, request: HttpRequest, asked: str) -> HttpFile | None:
        """The file that a checksum names, if it was downloaded before: no server need be asked."""
        known = self._downloads.of(asked) if request.checksum else []
        return next((_file(one) for one in known if one.digest == request.checksum), None)

    def _bring(
        self, request: HttpRequest, asked: str, cancellation: Cancellation, report: Report | None
    ) -> HttpFile:
        """Ask the server, or the client, for a file; what a server confirms is not brought again."""
        from urllib.parse import urlsplit

        from pybuild.runtime.session.types import UPLOADS
        from pybuild.runtime.sources.httptransfer import take_up

        target = os.path.join(self._store.work, os.urandom(8).hex() + ".download")
        upload = self._upload
        if upload is not None and host_of(request.url) == UPLOADS:
            path = urlsplit(request.url).path
            found: Download | Received = interruptible(
                lambda: take_up(upload(path), target, cancellation, report), cancellation
            )
        else:
            known = [] if request.checksum else self._downloads.of(asked)
            headers = {**request.sent(self._secrets), **conditions(known)}
            transport = self._transport()
            found = interruptible(
                lambda: _exchange(transport, request, headers, known, target, cancellation, report),
                cancellation,
            )
        if isinstance(found, Download):
            return _file(found)
        if request.checksum and found.digest != request.checksum:
            os.unlink(target)
            raise _mismatch(request, found.digest)
        return self._keep(request, asked, found, target)

    def _keep(self, request: HttpRequest, asked: str, received: Received, target: str) -> HttpFile:
        """Make a snapshot of a received file."""
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
        self._downloads.keep(asked, download)
        return _file(download)

    def _transport(self) -> Transport:
        from pybuild.runtime.registry.hosts import Hosts
        from pybuild.runtime.registry.transport import Transport

        with self._guard:
            if self._made is None:
                self._made = Transport(Hosts(), certificates=(), web=True)
            return self._made


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
    """One of `known` that is still the file, or what was received into the file `target`."""
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
    """What `work` returns or raises, from a thread of its own, which is left alone on cancellation: a name server
    or a connection may keep it for long. Raises Cancelled."""
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


def _mismatch(request: HttpRequest, found: str) -> HttpMismatch:
    return HttpMismatch(
        Diagnostic(
            f"digest mismatch {found}: {request.checksum}", notes=[("address", shown_url(request.url))]
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
