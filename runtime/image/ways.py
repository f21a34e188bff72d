"""The directory that an archive is unpacked into, and the ways of its entries there, none of which leads out."""

from __future__ import annotations

import errno
import os
import stat

from pybuild.lang.diagnostics import UserError
from pybuild.runtime.image.rooted import Rooted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container
    from typing import Protocol

    from pybuild.runtime.image.tarreader import Entry
else:
    Protocol = object

MAX_LINKS = 40
MAX_PARENTS = 4096
"""Most found parents that are kept."""


class ExtractError(UserError):
    """An entry can't be unpacked: `entry` is its name."""

    def __init__(self, archive: str, entry: bytes, reason: str, help: str) -> None:
        super().__init__(f"cannot unpack {os.fsdecode(entry)!r} of {archive}: {reason}", help=help)
        self.entry = entry


class Layering(Protocol):
    """A receiver of the steps of an unpacking: what an archive means as a layer. Paths are real and relative to the
    snapshot's root."""

    def begin(self, ways: Ways) -> None: ...

    def mark(self, parent: bytes, name: bytes) -> bool:
        """Apply the whiteout or opaque mark `name` (`.wh.…`) in directory `parent`; False if it names
        nothing."""

    def below(self, path: bytes, found: os.stat_result) -> bool:
        """Return whether what is at `path` belongs to the parent, not to this layer."""

    def made(self, path: bytes) -> None:
        """An entry of the archive is at `path`."""

    def implied(self, path: bytes) -> None:
        """A directory was made at `path` because an entry lies in it."""

    def entered(self, path: bytes, found: os.stat_result) -> None:
        """A path leads through the directory at `path`, whose state is `found`."""

    def removed(self, path: bytes) -> None:
        """The extractor has removed what was at `path`."""

    def end(self, explicit: Container[bytes]) -> None:
        """Everything is unpacked; the archive had entries for the directories in `explicit`."""


class Ways(Rooted):
    """A directory with the real paths of the directories that entries lie in."""

    def __init__(self, root: bytes, archive: str, layering: Layering | None) -> None:
        super().__init__(root)
        self._archive = archive
        self._layering = layering
        self._parents: dict[bytes, bytes] = {b"": b""}

    def _gone(self, path: bytes) -> None:
        """The directory at `path` has been removed."""

    def _above(self, path: bytes, entry: Entry) -> bytes:
        """Return the real path that `..` in the directory at a real path leads to."""
        return path.rpartition(b"/")[0]

    def _parent(self, parts: list[bytes], entry: Entry) -> bytes:
        """Return the real path of the directory that `parts` lead to, which is made if missing."""
        key = b"/".join(parts)
        known = self._parents.get(key)
        if known is None:
            known = self._walk(key, entry)
            self._remember(key, known)
        return known

    def _remember(self, key: bytes, real: bytes) -> None:
        if len(self._parents) >= MAX_PARENTS:
            self._parents = {b"": b""}
        self._parents[key] = real

    def _nearest(self, key: bytes) -> tuple[bytes, bytes]:
        """Return the real path of the nearest known directory on the way to `key`, and the way from there."""
        end = len(key)
        while (end := key.rfind(b"/", 0, end)) >= 0:
            known = self._parents.get(key[:end])
            if known is not None:
                return known, key[end + 1 :]
        return b"", key

    def _walk(self, key: bytes, entry: Entry) -> bytes:
        at, way = self._nearest(key)
        rest = way.split(b"/")[::-1] if way else []
        passed = len(key) - len(way)  # of `key`; -1 where a symlink has led elsewhere
        links = 0
        while rest:
            part = rest.pop()
            if part == b"..":
                at = self._above(at, entry)
                continue
            path = at + b"/" + part if at else part
            state = self.lstat(path)
            if state is not None and not stat.S_ISDIR(state.st_mode):
                # A file or link of the parent snapshot doesn't lead the layer's paths: a directory takes its
                # place.
                if self._layering is not None and self._layering.below(path, state):
                    self.remove(path)
                    state = None
                elif stat.S_ISLNK(state.st_mode):
                    links += 1
                    if links > MAX_LINKS:
                        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                    passed = -1
                    at = self._lead(path, at, rest)
                    continue
                else:
                    raise self.refuse(entry, f"{os.fsdecode(path)!r} is not a directory")
            self._enter(path, state)
            at = path
            if passed >= 0:
                passed += len(part)
                self._remember(key[:passed], at)
                passed += 1
        return at

    def _lead(self, path: bytes, at: bytes, rest: list[bytes]) -> bytes:
        """Put the target of the symlink at `path` before the `rest` of the way. Returns where that begins."""
        fd, name = self.near(path)
        target = os.readlink(name, dir_fd=fd)
        rest += [step for step in target.split(b"/") if step not in (b"", b".")][::-1]
        # An absolute link starts at the root of what is unpacked, never at the process's root.
        return b"" if target.startswith(b"/") else at

    def _enter(self, path: bytes, state: os.stat_result | None) -> None:
        """Pass through the directory at `path`, which is made if missing."""
        if state is None:
            self.make_directory(path, 0o755)
            if self._layering is not None:
                self._layering.implied(path)
        elif self._layering is not None:
            self._layering.entered(path, state)

    def remove(self, path: bytes) -> None:
        """Remove what is at `path`, with everything in it."""
        state = self.lstat(path)
        if state is None:
            return
        if stat.S_ISDIR(state.st_mode):
            self.remove_tree(path)
            self._gone(path)
        else:
            self.unlink(path)
        # Remembered parents may lead through what was removed.
        if stat.S_ISDIR(state.st_mode) or stat.S_ISLNK(state.st_mode):
            self._parents = {b"": b""}
        if self._layering is not None:
            self._layering.removed(path)

    def refuse(self, entry: Entry, reason: str) -> ExtractError:
        return ExtractError(self._archive, entry.name, reason, "make the archive anew without this entry")
