"""Downloads of blobs: resumed after a broken connection, never longer than announced."""

from __future__ import annotations

from pybuild.runtime.registry import errors
from pybuild.runtime.registry.answers import first_of_range, length
from pybuild.runtime.registry.errors import RegistryError, ServerFailure, TimedOut, Unreachable
from pybuild.runtime.registry.transport import ATTEMPTS, Response
from pybuild.runtime.registry.waiting import check, wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pybuild.runtime.content.blobs import BlobWriter
    from pybuild.runtime.image.descriptor import Descriptor

PROGRESS = 256 << 10
"""Bytes that an attempt must bring to reset the count of failures."""
FIRST_PAUSE = 0.2


def download(
    descriptor: Descriptor,
    writer: BlobWriter,
    send: Callable[[Mapping[str, str]], Response],
    host: str,
    *,
    report: Callable[[int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> None:
    """Download from the writer's offset to the descriptor's size; the caller commits, which verifies the
    bytes.

    `send` makes the request with the headers it is given and answers a 200, 206 or 416. Raises Unreachable
    or BadContent once ATTEMPTS attempts in a row brought next to nothing; what arrived stays in the writer.
    """
    if writer.offset > descriptor.size:
        writer.restart()
    failures = 0
    while writer.offset < descriptor.size:
        start = writer.offset
        try:
            _transfer(descriptor, writer, send, host, report, cancelled)
            if writer.offset == descriptor.size:
                return
            error: RegistryError = errors.truncated(host, descriptor.digest, descriptor.size, writer.offset)
        except (Unreachable, ServerFailure) as broken:
            # After silence a transfer that got on is taken up again; one that didn't has waited enough.
            if not broken.transient and not (
                isinstance(broken, TimedOut) and writer.offset - start >= PROGRESS
            ):
                raise
            error = broken
        failures = 1 if writer.offset - start >= PROGRESS else failures + 1
        if failures >= ATTEMPTS:
            if writer.offset > 0 and isinstance(error, Unreachable):
                raise errors.truncated(host, descriptor.digest, descriptor.size, writer.offset) from None
            raise error
        wait(FIRST_PAUSE * 2 ** (failures - 1), cancelled)


def _transfer(
    descriptor: Descriptor,
    writer: BlobWriter,
    send: Callable[[Mapping[str, str]], Response],
    host: str,
    report: Callable[[int], None] | None,
    cancelled: Callable[[], bool] | None,
) -> None:
    headers = {"Range": f"bytes={writer.offset}-"} if writer.offset else {}
    with send(headers) as response:
        continues = response.status == 206 and first_of_range(response.headers) == writer.offset
        if response.status == 416 or (response.status == 206 and not continues):
            writer.restart()
            return
        if response.status == 200:
            if writer.offset:
                writer.restart()
            _check_length(response, descriptor, host)
        for data in response.chunks():
            if writer.offset + len(data) > descriptor.size:
                writer.restart()
                raise errors.too_long(host, descriptor.digest, descriptor.size)
            writer.write(data)
            check(cancelled)
            if report is not None:
                report(writer.offset)


def _check_length(response: Response, descriptor: Descriptor, host: str) -> None:
    size = length(response.headers)
    if size is None or size == descriptor.size:
        return
    if response.content_type == "text/html":
        raise errors.not_a_registry(host, response.url, response.content_type)
    raise errors.wrong_size(host, descriptor.digest, descriptor.size, size)
