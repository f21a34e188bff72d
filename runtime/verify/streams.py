"""Streams that are hashed as they are read and decompressed in bounded pieces, with the standard library's gzip."""

from __future__ import annotations

import hashlib
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Protocol

    class Readable(Protocol):
        def read(self, size: int, /) -> bytes:
            """Return up to `size` bytes, none at the end."""

    class Blob(Readable, Protocol):
        """An open blob, closed at the end of a `with`."""

        def __enter__(self) -> Any: ...

        def __exit__(
            self,
            kind: type[BaseException] | None,
            error: BaseException | None,
            trace: TracebackType | None,
            /,
        ) -> object: ...


CHUNK = 1 << 18
_COMPRESSED_CHUNK = 1 << 16
"""Bytes of compressed input at a time. What is left of them is copied at each end of a gzip member or zstd frame, of
which a hostile blob has one every 20 bytes."""

_SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")
_MAGIC = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ", "xz"),
    (b"BZh", "bzip2"),
)


class TooLarge(ValueError):
    """A stream is longer than its limit."""


class Hashed:
    """A stream that is counted and hashed as it is read. Raises TooLarge once more than `limit` bytes came."""

    def __init__(self, file: Readable, algorithm: str = "sha256", limit: int = 0) -> None:
        self._file = file
        self._algorithm = algorithm
        self._hash = hashlib.new(algorithm)
        self._limit = limit
        self.size = 0

    def read(self, size: int, /) -> bytes:
        data = self._file.read(size)
        self._hash.update(data)
        self.size += len(data)
        if self._limit and self.size > self._limit:
            raise TooLarge(f"it is longer than {self._limit} bytes")
        return data

    def drain(self) -> None:
        """Read to the end."""
        while self.read(CHUNK):
            pass

    def digest(self) -> str:
        """Return the digest of what was read so far."""
        return f"{self._algorithm}:{self._hash.hexdigest()}"


class Rejoined:
    """A stream with bytes put back at its front."""

    def __init__(self, start: bytes, rest: Readable) -> None:
        self._start = start
        self._rest = rest

    def read(self, size: int, /) -> bytes:
        if not self._start:
            return self._rest.read(size)
        data, self._start = self._start[:size], self._start[size:]
        return data


class Exact:
    """A stream read in pieces of exact sizes, shorter only at its end. `position` is the bytes taken so far."""

    def __init__(self, file: Readable) -> None:
        self._file = file
        self._data = b""
        self._at = 0
        self.position = 0

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes, fewer at the end. `size` must be small: the bytes are held."""
        end = self._at + size
        while end > len(self._data):
            more = self._file.read(CHUNK)
            if not more:
                end = len(self._data)
                break
            end -= self._at
            self._data, self._at = self._data[self._at :] + more, 0
        data = self._data[self._at : end]
        self._at = end
        self.position += len(data)
        return data

    def skip(self, size: int) -> int:
        """Pass over `size` bytes and return how many there were."""
        left = size
        while left:
            step = min(left, len(self._data) - self._at)
            if not step:
                self._data, self._at = self._file.read(CHUNK), 0
                if not self._data:
                    break
                continue
            self._at += step
            left -= step
        self.position += size - left
        return size - left


def compression(start: bytes) -> str:
    """Return how a blob that begins so is compressed: gzip, zstd, xz, bzip2 or none."""
    for magic, kind in _MAGIC:
        if start.startswith(magic):
            return kind
    return "zstd" if _SKIPPABLE.match(start) else "none"


def decompressed(file: Readable, kind: str) -> Readable:
    """Return the stream without its compression. Reading raises an exception of `damage()`."""
    if kind == "gzip":
        return _Gzip(file)
    if kind == "zstd":
        return _Zstd(file)
    return file


def damage() -> tuple[type[Exception], ...]:
    """Return what reading and decompressing raise."""
    import zlib

    return OSError, EOFError, ValueError, zlib.error, _zstd().ZstdError


class _Gzip:
    """The members of a gzip file one after the other (RFC 1952), at most `size` bytes at a time."""

    def __init__(self, file: Readable) -> None:
        self._file = file
        self._member: Any = None
        self._input = b""

    def read(self, size: int, /) -> bytes:
        import zlib

        while True:
            if self._member is None:
                self._input = self._input or self._file.read(_COMPRESSED_CHUNK)
                if not self._input:
                    return b""
                # 31: the largest window, and a gzip header with its checksum.
                self._member = zlib.decompressobj(31)
            # Also without input: the last call may have left output behind.
            data: bytes = self._member.decompress(self._input, size)
            ended = self._member.eof
            self._input = self._member.unused_data if ended else self._member.unconsumed_tail
            if ended:
                self._member = None
            if data:
                return data
            if not ended and not self._input:
                self._input = self._file.read(_COMPRESSED_CHUNK)
                if not self._input:
                    raise EOFError("the compressed data ends early")


class _Zstd:
    """The frames of a zstd file one after the other (RFC 8878). The decoder refuses windows above 128 MiB."""

    def __init__(self, file: Readable) -> None:
        self._file = file
        self._frame: Any = None
        self._input = b""

    def read(self, size: int, /) -> bytes:
        while True:
            if self._frame is None:
                self._input = self._input or self._file.read(_COMPRESSED_CHUNK)
                if not self._input:
                    return b""
                self._frame = _zstd().ZstdDecompressor()
            data: bytes = self._frame.decompress(self._input, size)
            self._input = b""
            if self._frame.eof:
                self._input, self._frame = self._frame.unused_data, None
            elif not data and self._frame.needs_input:
                self._input = self._file.read(_COMPRESSED_CHUNK)
                if not self._input:
                    raise EOFError("the compressed data ends early")
            if data:
                return data


def _zstd() -> Any:
    import sys

    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd
