"""The blobs of the history: `history/blobs/sha256/…` in a store."""

from __future__ import annotations

import os
import time
from hashlib import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

CHUNK = 1 << 20
ORPHANED = 60.0
"""Seconds after which a blob without a record is removed. A younger one may belong to a record that is being
written."""


class HistoryBlobs:
    """Stores blobs by digest. A blob is visible only when it is complete. The callers know which record has it."""

    def __init__(self, root: str) -> None:
        self._stored = os.path.join(root, "blobs", "sha256")
        self._directory = os.path.join(root, "history", "blobs", "sha256")
        os.makedirs(self._directory, mode=0o700, exist_ok=True)

    def path(self, digest: str) -> str:
        return os.path.join(self._directory, digest.removeprefix("sha256:"))

    def put(self, data: bytes) -> str:
        """Store `data`; return its digest."""
        digest = "sha256:" + sha256(data).hexdigest()
        temporary = f"{self.path(digest)}.{os.urandom(6).hex()}"
        with open(temporary, "xb") as file:
            file.write(data)
        os.rename(temporary, self.path(digest))
        return digest

    def link_file(self, path: str) -> tuple[str, int]:
        """Make a finished file a blob by a hard link; return its digest and size."""
        state, size = sha256(), 0
        with open(path, "rb") as file:
            while data := file.read(CHUNK):
                state.update(data)
                size += len(data)
        digest = "sha256:" + state.hexdigest()
        _link(path, self.path(digest))
        return digest, size

    def link(self, digest: str) -> bool:
        """Link a blob of the store; return False if the store doesn't have it any more."""
        source = os.path.join(self._stored, digest.removeprefix("sha256:"))
        try:
            _link(source, self.path(digest))
        except FileNotFoundError:
            return os.path.exists(self.path(digest))
        return True

    def remove(self, digest: str) -> None:
        """Delete a blob. Idempotent."""
        try:
            os.unlink(self.path(digest))
        except FileNotFoundError:
            pass

    def sweep(self, digests: Collection[str]) -> None:
        """Delete what a dead daemon left: old blobs other than `digests`, and half-written ones."""
        before = time.time() - ORPHANED
        for entry in os.scandir(self._directory):
            if "sha256:" + entry.name not in digests and entry.stat().st_ctime < before:
                os.unlink(entry.path)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except FileExistsError:
        pass
