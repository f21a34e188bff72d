"""Receives a file by HTTP, and resumes where the connection broke.

A content coding of gzip is decoded, whether or not it was requested: the file is what the address stands for. Go's
client, and so BuildKit, does the same.
"""

from __future__ import annotations

import os
from hashlib import sha256

from pybuild.runtime.registry.answers import first_of_range, length
from pybuild.runtime.registry.errors import Unreachable
from pybuild.runtime.registry.transport import ATTEMPTS
from pybuild.runtime.registry.waiting import check, wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pybuild.runtime.registry.transport import Response, Transport
    from pybuild.runtime.solver.types import Cancellation

    Report = Callable[[int, int], None]

PAUSE = 0.2
"""Seconds before the first retry; doubled with each further one."""
PROGRESS = 1 << 20
"""Bytes between two reports, and bytes that an attempt must receive to reset the count of failures."""
OUTPUT = 1 << 20
"""Most bytes that are decompressed at a time."""


class Received:
    """A received file: its digest, and the headers of the answer that it came with."""

    __slots__ = ("digest", "headers")

    def __init__(self, digest: str, headers: Mapping[str, str]) -> None:
        self.digest = digest
        self.headers = headers


class _Sink:
    """The file being received. `raw` counts the bytes on the wire."""

    __slots__ = ("_fd", "_hash", "_inflate", "_report", "_reported", "_total", "raw")

    def __init__(self, fd: int, report: Report | None) -> None:
        self._fd = fd
        self._report = report
        self.begin({})

    def begin(self, headers: Mapping[str, str]) -> None:
        """Start over, for an answer with these headers."""
        os.ftruncate(self._fd, 0)
        os.lseek(self._fd, 0, os.SEEK_SET)
        self._hash = sha256()
        self._inflate = None
        self.raw = self._reported = 0
        self._total = length(headers) or 0
        if is_packed(headers):
            from zlib import decompressobj

            self._inflate = decompressobj(wbits=31)  # gzip framing with the largest window

    def take(self, data: bytes) -> None:
        """Append received data. Raises Unreachable if its coding is damaged."""
        self.raw += len(data)
        if self._inflate is None:
            self._put(data)
        else:
            self._unpack(data)
        if self._report is not None and self.raw - self._reported >= PROGRESS:
            self._reported = self.raw
            self._report(self.raw, self._total)

    def finish(self) -> str:
        """Return the digest of the whole file. Raises Unreachable if its coding is cut short."""
        if self._inflate is not None and not self._inflate.eof and self.raw:
            raise _damaged()
        if self._report is not None:
            self._report(self.raw, self.raw)
        return "sha256:" + self._hash.hexdigest()

    def _unpack(self, data: bytes) -> None:
        from zlib import decompressobj, error

        try:
            while data:
                assert self._inflate is not None
                if self._inflate.eof:
                    self._inflate = decompressobj(wbits=31)  # gzip data may have several members
                self._put(self._inflate.decompress(data, OUTPUT))
                data = self._inflate.unconsumed_tail or self._inflate.unused_data
        except error:
            raise _damaged() from None

    def _put(self, data: bytes) -> None:
        self._hash.update(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]


def receive(
    transport: Transport,
    response: Response,
    url: str,
    headers: Mapping[str, str],
    target: str,
    cancellation: Cancellation,
    report: Report | None = None,
) -> Received:
    """Receive the body of `response`, the answer to a GET of `url` with `headers`, to the new file `target`.

    After a broken connection the rest is requested, or the whole file if the server can't tell whether it is still
    the same. Raises RegistryError, Cancelled; `target` is removed then.
    """
    fd = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        sink = _Sink(fd, report)
        sink.begin(response.headers)
        answer = _all(transport, response, url, headers, sink, cancellation)
        digest = sink.finish()
        check(cancellation)
        return Received(digest, answer)
    except BaseException:
        _unlink(target)
        raise
    finally:
        os.close(fd)


def take_up(
    pieces: Iterable[bytes], target: str, cancellation: Cancellation, report: Report | None = None
) -> Received:
    """Write pieces of bytes to the new file `target`. Raises Cancelled, and errors of the iterator; `target` is
    removed then."""
    fd = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        sink = _Sink(fd, report)
        for data in pieces:
            check(cancellation)
            sink.take(data)
        return Received(sink.finish(), {})
    except BaseException:
        _unlink(target)
        raise
    finally:
        os.close(fd)


def _all(
    transport: Transport,
    response: Response,
    url: str,
    headers: Mapping[str, str],
    sink: _Sink,
    cancellation: Cancellation,
) -> Mapping[str, str]:
    """Receive the whole body, and return the headers of the answer that it belongs to."""
    failures, answer = 0, response.headers
    while True:
        before = sink.raw
        try:
            for data in response.chunks():
                check(cancellation)
                sink.take(data)
            return answer
        except Unreachable as broken:
            failures = 1 if sink.raw - before >= PROGRESS else failures + 1
            if failures >= ATTEMPTS or not broken.transient:
                raise
        wait(PAUSE * 2 ** (failures - 1), cancellation)
        # The conditions were met by the first answer: only the body is missing.
        plain = {name: value for name, value in headers.items() if not name.startswith("If-")}
        response = transport.request("GET", url, {**plain, **_rest(answer, sink.raw)}, cancelled=cancellation)
        if response.status == 206 and first_of_range(response.headers) == sink.raw:
            continue
        if response.status != 200:
            response.close()
            response = transport.request("GET", url, plain, cancelled=cancellation)
        if response.status != 200:
            response.close()
            raise Unreachable(f"the connection broke, and then the server answered {response.status}")
        answer = response.headers
        sink.begin(answer)


def _rest(answer: Mapping[str, str], offset: int) -> dict[str, str]:
    """Return the headers that request the bytes from `offset` on if the file is the same; none if that is not
    possible: without a strong tag, or with a coding, which need not have the same bytes again."""
    tag = answer.get("ETag", "").strip()
    if not offset or not tag or tag.startswith("W/") or is_packed(answer):
        return {}
    return {"Range": f"bytes={offset}-", "If-Range": tag}


def is_packed(headers: Mapping[str, str]) -> bool:
    """Report whether a body has a content coding of gzip."""
    return headers.get("Content-Encoding", "").strip().lower() == "gzip"


def _damaged() -> Unreachable:
    error = Unreachable("the server's gzip coding is damaged")
    error.reason = str(error)
    return error


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
