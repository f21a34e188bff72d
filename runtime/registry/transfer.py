"""Transfers of blobs into the store from a provider; only missing blobs are moved, each once.

A blob is fetched by one thread of one process at a time: the others wait for it (the writer's lock) and find
it in the store. The next fetch resumes an interrupted one.
"""

from __future__ import annotations

import os

from pybuild.lang.diagnostics import Cancelled, UserError
from pybuild.runtime.content.blobs import DigestMismatch
from pybuild.runtime.content.space import NO_ROOM, NoRoom

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Protocol

    from pybuild.runtime.content.blobs import BlobWriter
    from pybuild.runtime.content.store import Store
    from pybuild.runtime.image.descriptor import Descriptor
    from pybuild.runtime.progress.observer import Tracked

    class Provider(Protocol):
        """Someone who has an image's blobs."""

        def fetch(self, descriptor: Descriptor, writer: BlobWriter, report: Callable[[int], None]) -> None:
            """Bring `writer` from its offset to the blob's end; the caller commits. Raises UserError."""


PARALLEL = 6
"""Blobs fetched at once for one image."""
REPORT_SECONDS = 0.1
"""Least time between two reports of one blob's progress."""


class BlobNotStored(UserError):
    """The store could not take a blob."""


class Transfer:
    """The observer of a transfer: `progress` gets byte counts, `cancelled` is polled, `on_wait` is called
    when another process holds a blob."""

    __slots__ = ("cancelled", "on_wait", "progress")

    def __init__(
        self,
        progress: Tracked | None = None,
        cancelled: Callable[[], bool] | None = None,
        on_wait: Callable[[str], None] | None = None,
    ) -> None:
        self.progress = progress
        self.cancelled = cancelled
        self.on_wait = on_wait

    def reporter(self, id: str, total: int) -> Callable[[int], None]:
        """Return a function that takes the bytes moved and passes them on, at most every REPORT_SECONDS. It
        raises Cancelled once the transfer is cancelled."""
        from time import monotonic

        progress = self.progress

        last = 0.0

        def report(current: int) -> None:
            nonlocal last
            if self.cancelled is not None and self.cancelled():
                raise Cancelled
            moment = monotonic()
            if progress is None:
                return
            # The last report always passes: it says that the blob is complete.
            if current >= total or moment - last >= REPORT_SECONDS:
                last = moment
                progress.progress(id, current, total, done=current >= total)

        return report


def fetch_blob(store: Store, provider: Provider, descriptor: Descriptor, transfer: Transfer) -> None:
    """Fetch one blob into the store unless it is there, and lease it for this process. Idempotent. Raises
    DigestMismatch, NoRoom, BlobNotStored, Cancelled and the provider's errors."""
    digest, blobs = descriptor.digest, store.blobs
    store.lease("blob", digest)
    if blobs.has(digest):
        return
    report = transfer.reporter(digest, descriptor.size)
    try:
        with blobs.writer(resume=digest, on_wait=transfer.on_wait, cancelled=transfer.cancelled) as writer:
            # The writer's lock was another process's, which has fetched the blob.
            if blobs.has(digest):
                return
            resumed = writer.offset > 0
            provider.fetch(descriptor, writer, report)
            try:
                writer.commit(digest)
            except DigestMismatch:
                if not resumed:
                    raise
                # The part left by an earlier transfer may have been the damaged one.
                provider.fetch(descriptor, writer, report)
                writer.commit(digest)
    except OSError as error:
        if error.errno in NO_ROOM:
            raise NoRoom(error.errno or 0, store.root, store.root) from None
        raise BlobNotStored(
            f"cannot write {digest} into the store {store.root}: {error.strerror}",
            help="check that the store can be written, or set PYBUILD_ROOT to another directory",
        ) from None
    report(descriptor.size)


def fetch_blobs(
    store: Store, provider: Provider, descriptors: Iterable[Descriptor], transfer: Transfer
) -> None:
    """Fetch all missing blobs into the store, several at once, and lease them for this process. The first
    failure stops the others and is raised; what was fetched stays for the next attempt."""
    wanted = {descriptor.digest: descriptor for descriptor in descriptors}
    # Before looking: what is there can't be pruned between the look and its use.
    store.lease("blob", *wanted)
    missing = [descriptor for digest, descriptor in wanted.items() if not store.blobs.has(digest)]

    def job(descriptor: Descriptor) -> Callable[[Transfer], None]:
        return lambda watched: fetch_blob(store, provider, descriptor, watched)

    run_parallel([job(descriptor) for descriptor in missing], transfer)


def run_parallel(jobs: list[Callable[[Transfer], None]], transfer: Transfer) -> None:
    """Run every job, PARALLEL at once, each with a transfer that is cancelled when another job fails. Raises
    the first failure after all jobs ended."""
    if len(jobs) <= 1:
        for job in jobs:
            job(transfer)
        return
    from concurrent.futures import ThreadPoolExecutor
    from threading import Event, Lock

    stop, guard = Event(), Lock()
    failures: list[BaseException] = []

    def cancelled() -> bool:
        return stop.is_set() or (transfer.cancelled is not None and transfer.cancelled())

    watched = Transfer(transfer.progress, cancelled, transfer.on_wait)

    def run(job: Callable[[Transfer], None]) -> None:
        if cancelled():
            return
        try:
            job(watched)
        except BaseException as error:
            with guard:
                failures.append(error)
            stop.set()

    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="blob") as pool:
        try:
            for future in [pool.submit(run, job) for job in jobs]:
                future.result()
        except BaseException:
            stop.set()
            raise
    if failures:
        raise failures[0]
    if transfer.cancelled is not None and transfer.cancelled():
        raise Cancelled


def read_blob(store: Store, provider: Provider, descriptor: Descriptor, transfer: Transfer) -> bytes:
    """Return a small blob's bytes, fetched if the store lacks it (or its file is damaged) and leased for this
    process."""
    fetch_blob(store, provider, descriptor, transfer)
    try:
        return store.blobs.read(descriptor.digest)
    except FileNotFoundError:
        fetch_blob(store, provider, descriptor, transfer)
        return store.blobs.read(descriptor.digest)


def copy_range(fd: int, start: int, size: int, writer: BlobWriter, report: Callable[[int], None]) -> None:
    """Append bytes [start + writer.offset, start + size) of an open file to `writer`; short if the file is."""
    while writer.offset < size:
        data = os.pread(fd, min(1 << 20, size - writer.offset), start + writer.offset)
        if not data:
            return
        writer.write(data)
        report(writer.offset)
