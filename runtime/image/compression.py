"""Compression of layer blobs, with bytes that depend on nothing but the input, the level and the library
version.

The input is cut into blocks of a fixed size whatever the sizes of the writes; every block is compressed alone
by a pure function, on any number of threads, and the results are joined in order.

- gzip: one member. A block is a raw deflate run that may refer to the last 32 KiB of the block before it and
  ends byte-aligned. Levels 1 and 2 are ISA-L's (its level 3 differs between CPU generations), 0 stores, 3 to
  9 are zlib's.
- zstd: one frame a block, with content size and checksum.
"""

from __future__ import annotations

import os
from collections import deque

from pybuild.lang.diagnostics import UsageError, suggest

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from queue import SimpleQueue
    from typing import Any

    Encode = Callable[[bytes, bytes], tuple[bytes, int]]

GZIP_BLOCK = 1 << 20
ZSTD_BLOCK = 4 << 20
WINDOW = 1 << 15
"""Bytes that a deflate block may refer back to (RFC 1951)."""

GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""No name, no time, system unknown."""
LAST_DEFLATE_BLOCK = b"\x03\x00"

LEVELS = {"gzip": range(10), "zstd": range(23), "uncompressed": range(23)}
DEFAULT_LEVELS = {"gzip": 1, "zstd": 3, "uncompressed": 0}


class Compression:
    """How layers are compressed: `name` (gzip, zstd, uncompressed) and `level`. A value."""

    __slots__ = ("level", "name")

    def __init__(self, name: str = "gzip", level: int | None = None) -> None:
        """Raises UsageError for an unknown name or level."""
        if name == "estargz":
            raise UsageError(
                "compression=estargz is not supported", help="use compression=gzip, zstd or uncompressed"
            )
        if name not in LEVELS:
            near = suggest(name, LEVELS)
            raise UsageError(
                f"unknown compression {name!r}",
                help=f"did you mean {near}?" if near else "use gzip, zstd or uncompressed",
            )
        if level is not None and level not in LEVELS[name]:
            raise UsageError(
                f"compression-level={level} is out of range for {name}",
                help=f"use a number from 0 to {LEVELS[name][-1]}",
            )
        self.name = name
        self.level = DEFAULT_LEVELS[name] if level is None or name == "uncompressed" else level

    @property
    def variant(self) -> str:
        """The part of a layer record's variant that the compression decides: `gzip-1`."""
        return self.name if self.name == "uncompressed" else f"{self.name}-{self.level}"

    @property
    def compressor(self) -> str:
        """The name and version of the library that makes the bytes."""
        if self.name == "zstd":
            return f"zstd {_zstd().zstd_version}"
        if self.name == "uncompressed":
            return "none"
        if self.level in (1, 2):
            import isal

            return f"isal {isal.__version__}"
        import zlib

        return f"zlib {zlib.ZLIB_RUNTIME_VERSION}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Compression) and self.variant == other.variant

    def __hash__(self) -> int:
        return hash(self.variant)

    def __repr__(self) -> str:
        return f"Compression({self.name!r}, {self.level})"


class Compressor:
    """Compresses what is written and passes it to `sink`, which is called in the writer's thread, in order.

    Worker threads start with the second block. End it with `close`, or leave the context: after an error the
    work in progress is dropped. Raises what `sink` raises, from `write` and `close`.
    """

    def __init__(
        self, compression: Compression, sink: Callable[[bytes], object], *, threads: int | None = None
    ) -> None:
        self._sink = sink
        self._threads = threads or len(os.sched_getaffinity(0))
        self._gzip = compression.name == "gzip"
        self._block = ZSTD_BLOCK if compression.name == "zstd" else GZIP_BLOCK
        self._encode = _encoder(compression)
        self._waiting: list[bytes] = []
        self._waiting_size = 0
        self._previous = b""
        self._pool: _Pool | None = None
        self._jobs: deque[_Job] = deque()
        self._crc = 0
        self.size = 0
        """Uncompressed bytes cut into blocks; all of them after `close`."""
        if self._gzip:
            sink(GZIP_HEADER)

    def write(self, data: bytes) -> None:
        if self._encode is None:
            self.size += len(data)
            self._sink(data)
            return
        self._waiting.append(data)
        self._waiting_size += len(data)
        if self._waiting_size < self._block:
            return
        joined = data if len(self._waiting) == 1 else b"".join(self._waiting)
        position = 0
        while len(joined) - position >= self._block:
            self._submit(joined[position : position + self._block])
            position += self._block
        rest = joined[position:]
        self._waiting = [rest] if rest else []
        self._waiting_size = len(rest)

    def close(self) -> None:
        """Compress the remaining bytes and end the stream."""
        if self._encode is None:
            return
        last = b"".join(self._waiting)
        # An empty zstd stream still needs a frame; an empty gzip stream has its header and trailer.
        if last or (not self._gzip and not self.size):
            self._submit(last)
        while self._jobs:
            self._emit()
        if self._gzip:
            # RFC 1952: the checksum and the size modulo 2**32 of the uncompressed bytes.
            trailer = self._crc.to_bytes(4, "little") + (self.size & 0xFFFFFFFF).to_bytes(4, "little")
            self._sink(LAST_DEFLATE_BLOCK + trailer)
        self.abort()

    def abort(self) -> None:
        """Drop the work in progress. Idempotent; does nothing after `close`."""
        self._jobs.clear()
        if self._pool is not None:
            self._pool.stop()
            self._pool = None

    def _submit(self, block: bytes) -> None:
        assert self._encode is not None
        job = _Job(block, self._previous)
        self.size += len(block)
        # A stream of a single block is compressed here: starting threads would take longer.
        if self._pool is None and len(block) < self._block and not self._jobs:
            job.run(self._encode)
        else:
            if self._pool is None:
                self._pool = _Pool(self._encode, self._threads)
            self._pool.queue.put(job)
        self._jobs.append(job)
        self._previous = block[-WINDOW:]
        # Bounds the memory: a few blocks a thread wait, and finished ones leave at once.
        while len(self._jobs) > 2 * self._threads + 1 or (self._jobs and self._jobs[0].done):
            self._emit()

    def _emit(self) -> None:
        job = self._jobs.popleft()
        job.wait()
        if job.error is not None:
            raise job.error
        if self._gzip:
            from isal import isal_zlib

            self._crc = isal_zlib.crc32_combine(self._crc, job.crc, job.size)
        self._sink(job.output)

    def __enter__(self) -> Compressor:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()


class _Job:
    """A block on its way through a worker."""

    __slots__ = ("_block", "_previous", "_ready", "crc", "done", "error", "output", "size")

    def __init__(self, block: bytes, previous: bytes) -> None:
        from _thread import allocate_lock

        self._block = block
        self._previous = previous
        self.size = len(block)
        self.output = b""
        self.crc = 0
        self.error: BaseException | None = None
        self.done = False
        self._ready = allocate_lock()
        self._ready.acquire()

    def run(self, encode: Encode) -> None:
        try:
            self.output, self.crc = encode(self._block, self._previous)
        except BaseException as error:
            self.error = error
        self._block = self._previous = b""
        self.done = True
        self._ready.release()

    def wait(self) -> None:
        self._ready.acquire()


class _Pool:
    """Threads that run jobs until they are stopped. They are daemons, so that one left over by a killed
    writer does not hold up the exit."""

    def __init__(self, encode: Encode, threads: int) -> None:
        from queue import SimpleQueue
        from threading import Thread

        self.queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._workers: list[threading.Thread] = []
        for number in range(threads):
            worker = Thread(target=_work, args=(self.queue, encode), name=f"compress-{number}", daemon=True)
            try:
                worker.start()
            except RuntimeError:
                if not self._workers:
                    raise
                break  # memory or processes are limited: fewer do as well
            self._workers.append(worker)

    def stop(self) -> None:
        for _ in self._workers:
            self.queue.put(None)
        for worker in self._workers:
            worker.join()


def _work(queue: SimpleQueue[_Job | None], encode: Encode) -> None:
    while (job := queue.get()) is not None:
        job.run(encode)


def _encoder(compression: Compression) -> Encode | None:
    if compression.name == "gzip":
        return _gzip_encoder(compression.level)
    if compression.name == "zstd":
        return _zstd_encoder(compression.level)
    return None


def _gzip_encoder(level: int) -> Encode:
    from isal import isal_zlib

    library: Any = isal_zlib
    # ISA-L's levels above 2 give other bytes on other CPU generations.
    if level not in (1, 2):
        import zlib

        library = zlib
    deflated, flush = library.DEFLATED, library.Z_SYNC_FLUSH

    def encode(block: bytes, previous: bytes) -> tuple[bytes, int]:
        # The end of the block before is the dictionary, so that blocks compressed alone still refer back. -15
        # is a raw deflate stream; the sync flush ends it at a byte without marking it final.
        if previous:
            stream = library.compressobj(level, deflated, -15, zdict=previous)
        else:
            stream = library.compressobj(level, deflated, -15)
        return stream.compress(block) + stream.flush(flush), isal_zlib.crc32(block)

    return encode


def _zstd_encoder(level: int) -> Encode:
    zstd = _zstd()
    parameter = zstd.CompressionParameter
    options = {parameter.compression_level: level, parameter.checksum_flag: 1}

    def encode(block: bytes, previous: bytes) -> tuple[bytes, int]:
        return zstd.compress(block, options=options), 0

    return encode


def _zstd() -> Any:
    import sys

    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd
