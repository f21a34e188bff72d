"""Files of an image on disk: in a directory, or in a tar archive that is read in place.

Nothing is unpacked: a name only selects bytes, so no archive can write to the disk. Memory is bounded by limits on
the number of members, on extended headers and on JSON files.
"""

from __future__ import annotations

import os

from pybuild.runtime.registry.transfer import copy_range
from pybuild.runtime.sources.errors import SourceFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybuild.runtime.content.blobs import BlobWriter
    from pybuild.runtime.content.store import Store
    from pybuild.runtime.image.tarreader import Entry

MOST_MEMBERS = 100_000
"""Members of the largest archive that is read."""
MOST_LINKS = 8
"""Links that are followed from one name."""
BLOCK = 512
_STAND_IN = bytes(1 << 20)


class PlaceError(SourceFailed):
    """A directory or archive of an image can't be read."""


class Piece:
    """The bytes of a file. Close it."""

    __slots__ = ("_owned", "fd", "size", "start")

    def __init__(self, fd: int, start: int, size: int, *, owned: bool) -> None:
        self.fd = fd
        self.start = start
        self.size = size
        self._owned = owned

    def head(self, size: int) -> bytes:
        """Read the first bytes."""
        return os.pread(self.fd, min(size, self.size), self.start)

    def read(self, limit: int, what: str) -> bytes:
        """Read a whole file. Raises PlaceError if it is longer than `limit` bytes."""
        if self.size > limit:
            raise PlaceError(f"{what} is longer than {limit} bytes", help="it is damaged: make it again")
        return self.head(self.size)

    def copy(self, writer: BlobWriter, report: Callable[[int], None]) -> None:
        """Write the bytes from the writer's offset on."""
        copy_range(self.fd, self.start, self.size, writer, report)

    def __enter__(self) -> Piece:
        return self

    def __exit__(self, *_: object) -> None:
        if self._owned and self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class Directory:
    """The files beneath a directory. Symlinks are followed, as the directory is the user's own."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path

    def open(self, name: str) -> Piece:
        """Open a file. Raises FileNotFoundError, and PlaceError for one that is not regular or can't be read."""
        import stat

        path = os.path.join(self.path, name)
        try:
            # O_NONBLOCK: opening a named pipe must not wait for a writer.
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            raise FileNotFoundError(name) from None
        except OSError as error:
            raise PlaceError(f"cannot read {path}: {error.strerror}", help="check its permissions") from None
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            raise PlaceError(f"{path} is no regular file", help="the image there is damaged: make it again")
        return Piece(fd, 0, status.st_size, owned=True)

    def close(self) -> None:
        pass


class Archive:
    """The members of a tar archive, read in place after one scan. A compressed archive is decompressed to an
    unnamed file in the store's work directory. Close it."""

    __slots__ = ("_fd", "_links", "_members", "path")

    def __init__(self, path: str, store: Store) -> None:
        """Open and scan the archive. Raises PlaceError, ArchiveError."""
        from pybuild.runtime.image.decompression import detect_compression

        self.path = path
        self._members: dict[str, tuple[int, int]] = {}
        self._links: dict[str, str] = {}
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise PlaceError(f"cannot read {path}: {error.strerror}", help="check the path") from None
        try:
            kind = detect_compression(os.pread(self._fd, 6, 0))
            if kind != "none":
                self._spool(store, kind)
            self._scan()
        except BaseException:
            self.close()
            raise

    def _spool(self, store: Store, kind: str) -> None:
        from pybuild.runtime.image.decompression import pull_decompressed

        spool = os.open(store.work, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            pull = pull_decompressed(self._fd, kind=kind, name=self.path)
            while data := pull():
                view = memoryview(data)
                while view:
                    view = view[os.write(spool, view) :]
        except OSError as error:
            os.close(spool)
            raise PlaceError(
                f"cannot decompress {self.path} into {store.root}: {error.strerror}",
                help="free some space, or decompress the archive yourself",
            ) from None
        except BaseException:
            os.close(spool)
            raise
        os.close(self._fd)
        self._fd = spool

    def _scan(self) -> None:
        from pybuild.runtime.image.tarreader import LINK, SYMLINK, TarReader

        blocks = _Blocks(self._fd)
        for number, entry in enumerate(TarReader(blocks, self.path)):
            if number >= MOST_MEMBERS:
                raise PlaceError(
                    f"{self.path} has more than {MOST_MEMBERS} members", help="it is no archive of an image"
                )
            name = _normal(os.fsdecode(entry.name))
            # Of several members with one name the last counts, as in an extraction.
            self._members.pop(name, None)
            self._links.pop(name, None)
            if entry.kind == SYMLINK:
                target = os.fsdecode(entry.link)
                self._links[name] = _normal(os.path.join(os.path.dirname(name), target))
            elif entry.kind == LINK:
                self._links[name] = _normal(os.fsdecode(entry.link))
            elif _is_file(entry):
                self._members[name] = (blocks.position, entry.size)
            blocks.skip(entry.size)

    def open(self, name: str) -> Piece:
        """Open a file. Raises FileNotFoundError, also for links that are dangling, lead outside or form a cycle."""
        member = _normal(name)
        for _ in range(MOST_LINKS):
            if member in self._members:
                start, size = self._members[member]
                return Piece(self._fd, start, size, owned=False)
            if member not in self._links:
                break
            member = self._links[member]
        raise FileNotFoundError(name)

    def close(self) -> None:
        """Close the archive. Idempotent."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


class _Blocks:
    """The source of a `TarReader` that does not read the data of members. It returns headers block by block, so that
    `position` is where a member's data begins, and zeros in place of skipped data."""

    __slots__ = ("_fd", "_size", "_skip", "position")

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._size = os.fstat(fd).st_size
        self._skip = 0
        self.position = 0

    def skip(self, size: int) -> None:
        """Skip the data of a member, up to the next block."""
        self._skip = -(-size // BLOCK) * BLOCK

    def __call__(self) -> bytes:
        if self._skip and self.position + self._skip <= self._size:
            step = min(self._skip, len(_STAND_IN))
            self._skip -= step
            self.position += step
            return _STAND_IN[:step]
        if self._skip:
            return b""
        data = os.pread(self._fd, BLOCK, self.position)
        self.position += len(data)
        return data


def _is_file(entry: Entry) -> bool:
    return entry.kind in (b"0", b"\0", b"7") and entry.sparse is None


def _normal(name: str) -> str:
    """Return the canonical name of a member. A name that leads outside keeps its `..`, and matches no member."""
    return os.path.normpath(name).lstrip("/")


def open_place(path: str, store: Store) -> Directory | Archive:
    """Open the directory or tar archive at `path`. Raises PlaceError, ArchiveError."""
    if os.path.isdir(path):
        return Directory(path)
    if not os.path.exists(path):
        raise PlaceError(f"{path} does not exist", help="check the path")
    return Archive(path, store)
