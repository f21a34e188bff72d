"""Content-addressed blobs: files named by their sha256, written once and verified on entry."""

from __future__ import annotations

import errno
import os
from hashlib import sha256

from pybuild.lang.diagnostics import UserError
from pybuild.runtime.content.locks import Lock, wait_lock
from pybuild.runtime.content.space import NO_ROOM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK = 1 << 20


class BlobError(UserError):
    """A digest is unsupported, or a blob does not match it."""


class DigestMismatch(BlobError):
    """The digest of some content is not the expected one."""

    def __init__(self, what: str, wanted: str, found: str) -> None:
        super().__init__(
            f"{what} has the wrong digest: expected {wanted}, got {found}",
            help="the content was damaged or changed on its way; nothing was kept, try again",
        )
        self.wanted, self.found = wanted, found


class DamagedBlob(BlobError):
    """A file of the store has other bytes than were written to it. It has been removed."""

    def __init__(self, path: str, digest: str) -> None:
        super().__init__(
            f"the store's file {path} was damaged: its bytes are no longer those of {digest}",
            help="it was removed: build again, and it is fetched or made again; if that recurs, check the disk",
        )
        self.path, self.digest = path, digest


class Blobs:
    """The `blobs/` directory of a store; its layout is that of an OCI image layout.

    A blob is visible under its digest only when complete, verified and synced. Until `sync` a loss of power may
    take its name away again, never damage it. Blobs are written in `work()`, a directory that is deleted with the
    process, and resumable ones in `ingest/`. `keep` leases a blob for this process. Each blob is leased before it
    gets its name, and before `put` looks whether it is there: a prune in between would delete it.
    """

    __slots__ = ("_ingest", "_unsynced", "_work", "keep", "root")

    def __init__(self, root: str, work: Callable[[], str], keep: Callable[[str], None]) -> None:
        self.root = os.path.join(root, "blobs", "sha256")
        self._work = work
        self.keep = keep
        self._ingest = os.path.join(root, "ingest")
        self._unsynced = False

    def path(self, digest: str) -> str:
        """The path of blob `digest`, which need not exist. Raises BlobError for a digest that is not `sha256:`
        and 64 hexadecimal digits."""
        algorithm, _, value = digest.partition(":")
        if algorithm != "sha256" or len(value) != 64 or not set(value) <= set("0123456789abcdef"):
            raise BlobError(f"unsupported digest {digest!r}", help="only sha256 digests are supported")
        return os.path.join(self.root, value)

    def has(self, digest: str) -> bool:
        return os.path.exists(self.path(digest))

    def size(self, digest: str) -> int:
        """The size of the blob in bytes. Raises FileNotFoundError."""
        return os.stat(self.path(digest)).st_size

    def read(self, digest: str) -> bytes:
        """The whole blob, for small ones (manifests, configs). A damaged one is removed, and counts as missing.
        Raises FileNotFoundError."""
        path = self.path(digest)
        with open(path, "rb") as file:
            data = file.read()
        if sha256(data).hexdigest() == digest[7:] or not self.drop_damaged(digest):
            return data
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)

    def drop_damaged(self, digest: str) -> bool:
        """Remove the blob's file if its bytes are not those of its digest any more. Return whether they were not. To
        be called when what is in a blob can't be read: its bytes were verified when they were written."""
        path = self.path(digest)
        value = sha256()
        try:
            with open(path, "rb") as file:
                while data := file.read(CHUNK):
                    value.update(data)
            if value.hexdigest() == digest[7:]:
                return False
            os.unlink(path)
        except FileNotFoundError:
            pass  # another process has removed it
        return True

    def put(self, data: bytes) -> str:
        """Store `data` and return its digest. Idempotent."""
        digest = "sha256:" + sha256(data).hexdigest()
        self.keep(digest)
        if not self.has(digest):
            with self.writer() as writer:
                writer.write(data)
                writer.commit(digest)
        return digest

    def renamed(self) -> None:
        """Note that a blob got its name, which is not synced yet."""
        self._unsynced = True

    def sync(self) -> None:
        """Sync the names of new blobs to the disk."""
        if self._unsynced:
            self._unsynced = False
            sync_directory(self.root)

    def writer(
        self,
        *,
        resume: str | None = None,
        on_wait: Callable[[str], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> BlobWriter:
        """Return a writer for one blob. With `resume` (the expected digest) it continues an interrupted transfer
        of that blob at `writer.offset`, and waits while another process transfers it; `on_wait` is called once
        with that process's signature. Raises Cancelled when `cancelled` answers true while it waits."""
        if resume is None:
            return BlobWriter(self, _unique(self._work()), None)
        os.makedirs(self._ingest, mode=0o700, exist_ok=True)
        name = os.path.basename(self.path(resume))
        lock = wait_lock(os.path.join(self._ingest, name + ".lock"), on_wait=on_wait, cancelled=cancelled)
        if lock is None:
            from pybuild.lang.diagnostics import Cancelled

            raise Cancelled
        return BlobWriter(self, os.path.join(self._ingest, name + ".part"), lock)


class BlobWriter:
    """Writes one blob in a temporary file and renames it into place by `commit`. `offset` is the bytes written.

    Leaving the context without a commit drops the bytes, except those of a resumable transfer. A write that finds no
    room drops those, too.
    """

    __slots__ = ("_blobs", "_fd", "_hash", "_lock", "_path", "offset")

    def __init__(self, blobs: Blobs, path: str, lock: Lock | None) -> None:
        self._blobs = blobs
        self._path = path
        self._lock = lock
        self._hash = sha256()
        self.offset = 0
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        # The digest covers what an earlier transfer left, so that has to be read again.
        while lock is not None and (data := os.read(self._fd, CHUNK)):
            self._hash.update(data)
            self.offset += len(data)

    def write(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        self._hash.update(view)
        try:
            while view:
                written = os.write(self._fd, view)
                self.offset += written
                view = view[written:]
        except OSError as error:
            if error.errno in NO_ROOM:
                self.restart()
            error.filename = self._path
            raise

    def restart(self) -> None:
        """Drop what was written, when the other side can't resume."""
        os.ftruncate(self._fd, 0)
        os.lseek(self._fd, 0, os.SEEK_SET)
        self._hash = sha256()
        self.offset = 0

    def commit(self, digest: str | None = None, *, what: str = "blob") -> tuple[str, int]:
        """Make the blob visible and return (digest, size in bytes). `what` names it in an error. Raises
        DigestMismatch and drops the bytes when `digest` is given and differs."""
        actual = "sha256:" + self._hash.hexdigest()
        if digest is not None and digest != actual:
            self.restart()
            raise DigestMismatch(what, digest, actual)
        # Synced before it is renamed: after a loss of power a name must not lead to missing bytes.
        os.fsync(self._fd)
        self._blobs.keep(actual)
        os.makedirs(self._blobs.root, mode=0o700, exist_ok=True)
        os.rename(self._path, self._blobs.path(actual))
        self._blobs.renamed()
        size = self.offset
        self._path = ""
        self.close()
        return actual, size

    def close(self) -> None:
        """Close the file and drop the bytes unless they can be resumed. Idempotent."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
            if self._path and (self._lock is None or self.offset == 0):
                os.unlink(self._path)
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.remove()

    def __enter__(self) -> BlobWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def sync_directory(path: str) -> None:
    """Sync renames inside directory `path` to the disk; do nothing on a file system that can't sync a directory."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(fd)


def _unique(directory: str) -> str:
    return os.path.join(directory, os.urandom(12).hex() + ".tmp")
