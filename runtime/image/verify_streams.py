"""The verifier's streams: hashed as they are read, decompressed by the standard library, walked by
`tarfile`."""

from __future__ import annotations

from hashlib import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any

CHUNK = 1 << 20


class Hashed:
    """A stream that is hashed as it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = sha256()
        self.size = 0

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._hash.update(data)
        self.size += len(data)
        return data

    def drain(self) -> None:
        while self.read(CHUNK):
            pass

    def digest(self) -> str:
        return "sha256:" + self._hash.hexdigest()


class Rejoined:
    """A stream with bytes put back at its front."""

    def __init__(self, start: bytes, rest: Hashed) -> None:
        self._start = start
        self._rest = rest

    def read(self, size: int = -1) -> bytes:
        if not self._start:
            return self._rest.read(size)
        if size < 0:
            data, self._start = self._start + self._rest.read(), b""
            return data
        data, self._start = self._start[:size], self._start[size:]
        return data


def kind_of(start: bytes) -> str:
    for magic, kind in ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd")):
        if start.startswith(magic):
            return kind
    return "none"


def decompressed(file: Any, kind: str) -> Any:
    if kind == "gzip":
        import gzip

        return gzip.GzipFile(fileobj=file, mode="rb")
    if kind == "zstd":
        import sys

        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
        return zstd.ZstdFile(file, "rb")
    return file


def damage() -> tuple[type[Exception], ...]:
    """What reading and decompressing raise."""
    import sys
    import zlib

    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return OSError, EOFError, ValueError, zlib.error, zstd.ZstdError


def read_archive(tar: Hashed) -> str:
    """Walk the archive and read the stream to its end; what is wrong with it, or ""."""
    import tarfile

    problem = ""
    try:
        with tarfile.open(fileobj=tar, mode="r|") as archive:  # type: ignore[call-overload]
            names: set[str] = set()
            for member in archive:
                if member.name.startswith("/") or ".." in member.name.split("/"):
                    problem = problem or f"has an entry {member.name!r} that leads outside"
                if member.islnk() and member.linkname not in names:
                    problem = problem or f"links {member.name!r} to a later {member.linkname!r}"
                names.add(member.name)
    except tarfile.TarError as error:
        problem = f"is no tar archive: {error}"
    tar.drain()
    return problem
