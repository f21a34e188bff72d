"""The states in which one build sees the bytes of a local directory's files.

A file is read at most twice: for its digest, and for a copy. Both times it must have the same bytes and mode.
"""

from __future__ import annotations

import os
import time
from hashlib import sha256
from threading import Lock

from pybuild.runtime.sources.reading import CHUNK, read, read_small, restless
from pybuild.runtime.sources.statcache import StatCache, known_of, settled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.runtime.snapshots.types import Node
    from pybuild.runtime.sources.statcache import Known


class FileStates:
    """Reads files, and keeps the digest of each for the build and in the stat cache. Thread-safe.

    `known` is the state in which the build saw each file first, by path.
    """

    __slots__ = ("_guard", "cache", "known")

    def __init__(self, cache: StatCache) -> None:
        self.cache = cache
        self.known: dict[bytes, Known] = {}
        self._guard = Lock()

    def of(self, node: Node) -> Known:
        """Return the state of a file, reading it unless the cache knows it. Raises ContextError."""
        known = self.known.get(node.path)
        if known is None:
            known = self.cache.get(node.path, node.stat)
            if known is None:
                known, after = read(node, lambda _: None)
                return self._enter(node, known, after)
            known = self.known.setdefault(node.path, known)
        return known

    def digest(self, node: Node) -> bytes | None:
        """Return the SHA-256 of a file's bytes if it is known without reading them and the file has no extended
        attributes, else None."""
        known = self.known.get(node.path) or self.cache.get(node.path, node.stat)
        return known[5] if known is not None and not known[6] else None

    def attributes(self, node: Node) -> Sequence[tuple[str, bytes]]:
        """Return the extended attributes of an entry that count as content."""
        known = self.known.get(node.path)
        return () if known is not None and not known[6] else node.attributes()

    def small(self, node: Node) -> bytes | None:
        """Return all bytes of a file that is no larger than a chunk and unchanged; else None, and `copy` has to be
        used. Raises ContextError if the file differs from what this build saw before."""
        if node.stat.st_size > CHUNK:
            return None
        content = read_small(node)
        if content is None:
            return None
        data, after = content
        known = self.known.get(node.path)
        if known is None or self.cache.get(node.path, after) is not known:
            if not settled(after, time.time_ns()):
                return None
            known = known_of(after, sha256(data).digest(), bool(node.attributes()))
            self._enter(node, known, after)
        return data

    def copy(self, node: Node, target: int) -> None:
        """Append a file's bytes to the file of descriptor `target`, whose offset is at its end. Holes stay holes.
        Raises ContextError like `small`."""
        sparse = node.stat.st_size > node.stat.st_blocks * 512
        base = os.lseek(target, 0, os.SEEK_CUR)

        def sink(data: bytes | None) -> None:
            if data is None:
                os.ftruncate(target, base)
                os.lseek(target, base, os.SEEK_SET)
            elif sparse and not data.strip(b"\0"):
                os.lseek(target, len(data), os.SEEK_CUR)
            else:
                view = memoryview(data)
                while view:
                    view = view[os.write(target, view) :]

        known, after = read(node, sink)
        if sparse:
            os.ftruncate(target, base + after.st_size)  # a hole at the end was only skipped
        self._enter(node, known, after)

    def save(self) -> None:
        """Save the digests for the next build. A failure costs that build only time, and is ignored."""
        with self._guard:
            try:
                self.cache.save(self.known)
            except OSError:
                pass

    def _enter(self, node: Node, known: Known, after: os.stat_result) -> Known:
        """Record the state in which a file was read. Raises ContextError if this build saw another one before."""
        path = node.path
        first = self.known.setdefault(path, known)
        if first[5:] != known[5:] or after.st_mode != node.stat.st_mode:
            raise restless(path)
        node.stat = after
        # A file that changed just before can't go into the cache: a later write might not show in its ctime.
        if settled(after, time.time_ns()):
            with self._guard:
                self.cache.put(path, known)
                self.known[path] = known
        return first
