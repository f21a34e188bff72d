"""Decompression of layers and archives: pieces of bounded size, whatever the input claims.

A *pull* is a function that gives the next piece of a stream and `b""` at its end.
"""

from __future__ import annotations

import os

from pybuild.lang.diagnostics import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, Protocol

    Pull = Callable[[], bytes]

    class Readable(Protocol):
        def read(self, size: int, /) -> bytes: ...


CHUNK = 1 << 18
"""Compressed bytes read at once."""
PIECE = 1 << 20
"""Most bytes of one decompressed piece."""
MAX_MEMORY = 256 << 20
"""Most memory for one xz stream, whose header chooses it; `xz -9` takes 65 MiB. zstd has a limit of its own."""
AHEAD = 4
"""Pieces decompressed ahead of their consumer."""

_MAGIC = (
    (b"\x1f\x8b\x08", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
)


class ArchiveError(UserError):
    """An archive or a compressed stream that can't be read."""


def detect_compression(start: bytes) -> str:
    """Return the compression by a stream's first bytes (six are enough): gzip, bzip2, xz, zstd or none."""
    for magic, kind in _MAGIC:
        if start.startswith(magic):
            return kind
    if len(start) >= 4 and start[1:4] == b"\x2a\x4d\x18" and 0x50 <= start[0] <= 0x5F:
        return "zstd"  # a skippable frame
    return "none"


def open_decompressed(source: int | Readable, *, kind: str | None = None, name: str = "archive") -> Stream:
    """Return the decompressed bytes of a file descriptor or binary file, neither of which it closes. `kind`
    is a result of `detect_compression`, which is called if it is None. Reading raises ArchiveError, with
    `name` in its text, when the stream is damaged or ends early."""
    return Stream(pull_decompressed(source, kind=kind, name=name))


def pull_decompressed(source: int | Readable, *, kind: str | None = None, name: str = "archive") -> Pull:
    """Return what `open_decompressed` does, as a pull."""
    read = _reader(source)
    start = b""
    if kind is None:
        start = read()
        while 0 < len(start) < 6 and (more := read()):
            start += more
        kind = detect_compression(start)
    held = [start] if start else []

    def again() -> bytes:
        return held.pop() if held else read()

    if kind == "none":
        return again
    pieces = _decompress(again, kind, name)
    return lambda: next(pieces, b"")


class Stream:
    """A pull as a file: `read(size)` returns exactly `size` bytes unless the stream ends."""

    __slots__ = ("_at", "_piece", "_pull")

    def __init__(self, pull: Pull) -> None:
        self._pull = pull
        self._piece = b""
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes; everything that is left when `size` is negative."""
        parts = []
        while size:
            if self._at >= len(self._piece):
                self._piece, self._at = self._pull(), 0
                if not self._piece:
                    break
            end = len(self._piece) if size < 0 else self._at + size
            part = self._piece[self._at : end]
            self._at += len(part)
            parts.append(part)
            size -= len(part) if size > 0 else 0
        return parts[0] if len(parts) == 1 else b"".join(parts)


class Ahead:
    """A pull that reads ahead in a thread, where `observe` gets every piece. Leaving the context ends the
    thread, also after an error. The pull raises errors of the source."""

    def __init__(self, pull: Pull, observe: Callable[[bytes], object]) -> None:
        from queue import SimpleQueue
        from threading import Semaphore, Thread

        self._source = pull
        self._observe = observe
        self._room = Semaphore(AHEAD)
        self._pieces: SimpleQueue[bytes | BaseException] = SimpleQueue()
        self._stopped = False
        self._ended = False
        self._thread = Thread(target=self._run, name="decompress", daemon=True)
        self._thread.start()

    def __call__(self) -> bytes:
        if self._ended:
            return b""
        piece = self._pieces.get()
        self._room.release()
        if isinstance(piece, bytes) and piece:
            return piece
        self._ended = True
        if isinstance(piece, BaseException):
            raise piece
        return b""

    def _run(self) -> None:
        try:
            while not self._stopped and (piece := self._source()):
                self._observe(piece)
                self._room.acquire()
                self._pieces.put(piece)
            self._pieces.put(b"")
        except BaseException as error:
            self._pieces.put(error)

    def __enter__(self) -> Ahead:
        return self

    def __exit__(self, *_: object) -> None:
        # The thread may wait for room, which nobody would make any more.
        self._stopped = True
        self._room.release()
        self._thread.join()


def _reader(source: int | Readable) -> Pull:
    if isinstance(source, int):
        fd = source
        return lambda: os.read(fd, CHUNK)
    read = source.read
    return lambda: read(CHUNK)


def _decompress(read: Pull, kind: str, name: str) -> Iterator[bytes]:
    """Yield the bytes of every stream, member or frame in turn; zero bytes after one are padding."""
    make, errors = _decoder(kind)
    data = read()
    while data:
        decoder = make()
        try:
            while not decoder.eof:
                if decoder.needs_input and not data:
                    data = read()
                    if not data:
                        raise ArchiveError(
                            f"{name} is cut short: its {kind} stream does not end",
                            help="transfer the file again",
                        )
                piece = decoder.decompress(data, PIECE)
                data = b""
                if piece:
                    yield piece
        except errors as error:
            raise ArchiveError(
                f"{name} is damaged: {kind}: {error}", help="transfer the file again, or make it anew"
            ) from None
        data = decoder.unused_data.lstrip(b"\0")
        while not data and (more := read()):
            data = more.lstrip(b"\0")


def _decoder(kind: str) -> tuple[Callable[[], Any], Any]:
    """Return a function that makes decoders (`eof`, `needs_input`, `unused_data`, `decompress(data,
    max_length)`), and the exceptions they raise."""
    if kind == "gzip":
        from isal import igzip_lib, isal_zlib

        flag = igzip_lib.DECOMP_GZIP
        return (lambda: igzip_lib.IgzipDecompressor(flag=flag)), (isal_zlib.error, igzip_lib.error, EOFError)
    if kind == "bzip2":
        from bz2 import BZ2Decompressor

        return BZ2Decompressor, (OSError, ValueError, EOFError)
    if kind == "xz":
        from lzma import LZMADecompressor, LZMAError

        return (lambda: LZMADecompressor(memlimit=MAX_MEMORY)), (LZMAError, EOFError)
    import sys

    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd

    return zstd.ZstdDecompressor, (zstd.ZstdError, EOFError)
